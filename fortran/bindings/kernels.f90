!> The face of the Fortran library towards f2py: interoperable kinds, explicit shapes, a status and a message. No physics.
!>
!> f2py maps a kind it does not know to C float without a word, so only c_double and c_int appear here, and the
!> build fails if f2py maps anything to float (run_f2py.py). Pictures and arrays are in Fortran order, so the
!> (n, 3) array of Python is the (3, n) array here.

!> Accelerations and potentials of particles under their own gravity.
subroutine accelerations(n, positions, masses, softening, solver, accuracy, threads, acceleration, potential, status, message)
  use, intrinsic :: iso_c_binding, only: c_double, c_int
  use galclass_errors, only: error_t
  use galclass_gravity, only: gravity_t
  use galclass_leapfrog, only: stepping_t, leapfrog_t, start_leapfrog
  implicit none
  !> Number of particles
  integer(c_int), intent(in) :: n
  !> Positions [kpc], shape (3, n)
  real(c_double), intent(in) :: positions(3, n)
  !> Masses [1e10 Msun], shape (n)
  real(c_double), intent(in) :: masses(n)
  !> Softening length [kpc]
  real(c_double), intent(in) :: softening
  !> 1 tree, 2 direct summation in single, 3 in double precision
  integer(c_int), intent(in) :: solver
  !> Opening parameter of the tree
  real(c_double), intent(in) :: accuracy
  !> Number of threads, 0 for all
  integer(c_int), intent(in) :: threads
  !> Accelerations [(km/s)^2/kpc], shape (3, n)
  real(c_double), intent(out) :: acceleration(3, n)
  !> Potentials [(km/s)^2], shape (n)
  real(c_double), intent(out) :: potential(n)
  !> 0 if all is well
  integer(c_int), intent(out) :: status
  !> What is wrong otherwise
  character(len=256), intent(out) :: message
  !f2py threadsafe
  real(c_double), allocatable :: x(:, :), v(:, :), m(:)
  type(error_t), allocatable :: error
  type(leapfrog_t) :: state

  allocate (x, source=positions)
  allocate (m, source=masses)
  allocate (v(3, n), source=0.0_c_double)
  call start_leapfrog(x, v, m, 0.0_c_double, gravity_t(solver, softening, accuracy, threads), stepping_t(), state, error)
  acceleration(:, state%origin) = state%accelerations
  potential(state%origin) = state%potentials
  status = merge(1_c_int, 0_c_int, allocated(error))
  message = ''
  if (allocated(error)) message = error%message
end subroutine accelerations

!> Particles evolved with the leapfrog.
subroutine integrate(n, positions, velocities, masses, softening, time_step, steps, levels, step_accuracy, solver, accuracy, &
                     threads, new_positions, new_velocities, status, message)
  use, intrinsic :: iso_c_binding, only: c_double, c_int
  use galclass_errors, only: error_t
  use galclass_gravity, only: gravity_t
  use galclass_leapfrog, only: stepping_t, leapfrog_t, start_leapfrog, advance
  implicit none
  !> Number of particles
  integer(c_int), intent(in) :: n
  !> Positions [kpc], shape (3, n)
  real(c_double), intent(in) :: positions(3, n)
  !> Velocities [km/s], shape (3, n)
  real(c_double), intent(in) :: velocities(3, n)
  !> Masses [1e10 Msun], shape (n)
  real(c_double), intent(in) :: masses(n)
  !> Softening length [kpc]
  real(c_double), intent(in) :: softening
  !> Longest time step [kpc/(km/s)]
  real(c_double), intent(in) :: time_step
  !> Number of longest steps
  integer(c_int), intent(in) :: steps
  !> Deepest level of the block steps, 0 for fixed steps
  integer(c_int), intent(in) :: levels
  !> eta of the time step criterion
  real(c_double), intent(in) :: step_accuracy
  !> 1 tree, 2 direct summation in single, 3 in double precision
  integer(c_int), intent(in) :: solver
  !> Opening parameter of the tree
  real(c_double), intent(in) :: accuracy
  !> Number of threads, 0 for all
  integer(c_int), intent(in) :: threads
  !> Positions afterwards [kpc], shape (3, n)
  real(c_double), intent(out) :: new_positions(3, n)
  !> Velocities afterwards [km/s], shape (3, n)
  real(c_double), intent(out) :: new_velocities(3, n)
  !> 0 if all is well
  integer(c_int), intent(out) :: status
  !> What is wrong otherwise
  character(len=256), intent(out) :: message
  !f2py threadsafe
  real(c_double), allocatable :: x(:, :), v(:, :), m(:)
  type(error_t), allocatable :: error
  type(leapfrog_t) :: state
  integer :: step

  allocate (x, source=positions)
  allocate (v, source=velocities)
  allocate (m, source=masses)
  call start_leapfrog(x, v, m, 0.0_c_double, gravity_t(solver, softening, accuracy, threads), &
                      stepping_t(levels, step_accuracy), state, error)
  do step = 1, steps
    if (.not. allocated(error)) call advance(state, time_step, error)
  end do
  new_positions(:, state%origin) = state%positions
  new_velocities(:, state%origin) = state%velocities
  status = merge(1_c_int, 0_c_int, allocated(error))
  message = ''
  if (allocated(error)) message = error%message
end subroutine integrate

!> SHA-256 of the sources this extension was built from.
subroutine source_digest(digest)
  use kernels_digest, only: compiled_in => digest
  implicit none
  !> 64 hexadecimal digits
  character(len=64), intent(out) :: digest

  digest = compiled_in
end subroutine source_digest

!> Pictures of particles from several cameras.
subroutine project(n, k, pixels, positions, masses, widths, cameras, half_width, threads, pictures)
  use, intrinsic :: iso_c_binding, only: c_double, c_int
  use galclass_projection, only: projected => project
  implicit none
  !> Number of particles, of cameras, and of pixels along a side
  integer(c_int), intent(in) :: n, k, pixels
  !> Positions [kpc], shape (3, n)
  real(c_double), intent(in) :: positions(3, n)
  !> Masses [1e10 Msun], shape (n)
  real(c_double), intent(in) :: masses(n)
  !> Gaussian widths [kpc], shape (n)
  real(c_double), intent(in) :: widths(n)
  !> Axes of the cameras, shape (3, 3, k)
  real(c_double), intent(in) :: cameras(3, 3, k)
  !> Half the side of a picture [kpc]
  real(c_double), intent(in) :: half_width
  !> Number of threads, 0 for all
  integer(c_int), intent(in) :: threads
  !> Mass in each pixel [1e10 Msun], shape (pixels, pixels, k)
  real(c_double), intent(out) :: pictures(pixels, pixels, k)
  !f2py threadsafe

  call projected(positions, masses, widths, cameras, half_width, threads, pictures)
end subroutine project

!> Distances of particles to their k-th neighbour.
subroutine neighbour_distances(n, positions, neighbours, threads, distances)
  use, intrinsic :: iso_c_binding, only: c_double, c_int
  use galclass_neighbours, only: found => neighbour_distances
  implicit none
  !> Number of particles
  integer(c_int), intent(in) :: n
  !> Positions [kpc], shape (3, n)
  real(c_double), intent(in) :: positions(3, n)
  !> Which neighbour
  integer(c_int), intent(in) :: neighbours
  !> Number of threads, 0 for all
  integer(c_int), intent(in) :: threads
  !> Distances [kpc], shape (n)
  real(c_double), intent(out) :: distances(n)
  !f2py threadsafe

  call found(positions, neighbours, threads, distances)
end subroutine neighbour_distances

!> Moments of a picture within a round aperture.
subroutine image_moments(nx, ny, picture, centre_x, centre_y, radius, flux, mean, second, status, message)
  use, intrinsic :: iso_c_binding, only: c_double, c_int
  use galclass_errors, only: error_t
  use galclass_moments, only: moments => image_moments
  implicit none
  !> Pixels in x and y
  integer(c_int), intent(in) :: nx, ny
  !> Brightness, shape (nx, ny)
  real(c_double), intent(in) :: picture(nx, ny)
  !> Centre of the aperture [pixels]
  real(c_double), intent(in) :: centre_x, centre_y
  !> Radius of the aperture [pixels]
  real(c_double), intent(in) :: radius
  !> Sum of the brightness
  real(c_double), intent(out) :: flux
  !> Mean place [pixels]
  real(c_double), intent(out) :: mean(2)
  !> Second moments xx, yy, xy [pixels^2]
  real(c_double), intent(out) :: second(3)
  !> 0 if all is well
  integer(c_int), intent(out) :: status
  !> What is wrong otherwise
  character(len=256), intent(out) :: message
  !f2py threadsafe
  type(error_t), allocatable :: error

  call moments(picture, [centre_x, centre_y], radius, flux, mean, second, error)
  status = merge(1_c_int, 0_c_int, allocated(error))
  message = ''
  if (allocated(error)) message = error%message
end subroutine image_moments
