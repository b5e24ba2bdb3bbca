!> Gravity by direct summation over all pairs: slow (n^2), exact, and so the oracle of every faster solver.
!>
!> Plummer softening (Aarseth 1963): potential -G m / sqrt(r^2 + eps^2). A particle does not feel itself,
!> neither in the acceleration nor in the potential. Each target's sum belongs to one thread and takes the
!> sources in an order that depends on their indices alone, so any number of threads gives the same bits.
module galclass_gravity_direct
  use, intrinsic :: ieee_arithmetic, only: ieee_is_finite
  use galclass_kinds, only: sp, dp
  use galclass_units, only: gravitational_constant
  use galclass_errors, only: error_t, plain_error, text
  use galclass_threads, only: thread_count
  use galclass_pair_kernels, only: add_pull
  implicit none
  private
  public :: single_precision, double_precision, accelerations

  !> Pair sums in real32 over runs of sources, these added up in real64: errors of about 1e-6.
  integer, parameter :: single_precision = 1
  !> Everything in real64.
  integer, parameter :: double_precision = 2
  !> Sources whose pulls are added in one go, in real32 if single, before the sum goes to real64; they fit the cache.
  integer, parameter :: run_length = 2048
  !> Targets that share the run of sources in the cache; a piece of work for a thread.
  integer, parameter :: block_size = 32

contains

  !> Acceleration and potential of every particle. Not pure: OpenMP allows no parallel region in a pure procedure.
  subroutine accelerations(positions, masses, softening, precision, threads, acceleration, potential, error)
    !> Positions [kpc], shape (3, n)
    real(dp), intent(in) :: positions(:, :)
    !> Masses [1e10 Msun], shape (n)
    real(dp), intent(in) :: masses(:)
    !> Softening length [kpc]
    real(dp), intent(in) :: softening
    !> single_precision or double_precision
    integer, intent(in) :: precision
    !> Number of threads, 0 for all
    integer, intent(in) :: threads
    !> Accelerations [(km/s)^2/kpc], shape (3, n)
    real(dp), intent(out) :: acceleration(:, :)
    !> Potentials [(km/s)^2], shape (n)
    real(dp), intent(out) :: potential(:)
    !> Allocated if the precision is unknown or a result is not finite
    type(error_t), allocatable, intent(out) :: error
    real(dp), allocatable :: sources(:, :)

    allocate (sources(size(masses), 4))
    sources(:, :) = relative_to_box(positions, masses)
    select case (precision)
    case (single_precision)
      call sum_single(real(sources, sp), real(softening, sp)**2, thread_count(threads), acceleration, potential)
    case (double_precision)
      call sum_double(sources, softening**2, thread_count(threads), acceleration, potential)
    case default
      error = plain_error('gravity: precision '//text(precision)//' is unknown: allowed are 1 (single) and 2 (double)')
      return
    end select
    if (.not. (all(ieee_is_finite(acceleration)) .and. all(ieee_is_finite(potential)))) then
      error = plain_error('gravity: an acceleration is not finite: particles coincide without softening, '// &
                          'or a position or mass is not a number')
    end if
  end subroutine accelerations

  !> Positions about the centre of the box of all particles, so that real32 loses as little as it can, and G m.
  pure function relative_to_box(positions, masses) result(sources)
    !> Positions [kpc], shape (3, n)
    real(dp), intent(in) :: positions(:, :)
    !> Masses [1e10 Msun], shape (n)
    real(dp), intent(in) :: masses(:)
    !> x, y, z [kpc] and G m [kpc (km/s)^2], shape (n, 4)
    real(dp) :: sources(size(masses), 4)
    integer :: axis

    do axis = 1, 3
      sources(:, axis) = positions(axis, :) - 0.5_dp*(minval(positions(axis, :)) + maxval(positions(axis, :)))
    end do
    sources(:, 4) = gravitational_constant*masses
  end function relative_to_box

  subroutine sum_single(sources, softening2, threads, acceleration, potential)
    !> x, y, z [kpc] and G m [kpc (km/s)^2], shape (n, 4)
    real(sp), contiguous, intent(in) :: sources(:, :)
    !> Softening length squared [kpc^2]
    real(sp), intent(in) :: softening2
    !> Number of threads, at least 1
    integer, intent(in) :: threads
    !> Accelerations [(km/s)^2/kpc], shape (3, n)
    real(dp), intent(out) :: acceleration(:, :)
    !> Potentials [(km/s)^2], shape (n)
    real(dp), intent(out) :: potential(:)
    real(dp) :: pull(4, block_size)
    integer :: n, first, start, i

    n = size(sources, 1)
    !$omp parallel do schedule(dynamic) num_threads(threads) default(none) &
    !$omp& shared(n, sources, softening2, acceleration, potential) private(pull, start, i)
    do first = 1, n, block_size
      pull = 0
      do start = 1, n, run_length
        do i = first, min(first + block_size - 1, n)
          pull(:, i - first + 1) = pull(:, i - first + 1) + run_single(sources, softening2, i, start)
        end do
      end do
      do i = first, min(first + block_size - 1, n)
        acceleration(:, i) = pull(1:3, i - first + 1)
        potential(i) = -pull(4, i - first + 1)
      end do
    end do
    !$omp end parallel do
  end subroutine sum_single

  !> The pull of one run of sources on a target, which skips itself.
  pure function run_single(sources, softening2, i, start) result(pull)
    !> x, y, z [kpc] and G m [kpc (km/s)^2], shape (n, 4)
    real(sp), contiguous, intent(in) :: sources(:, :)
    !> Softening length squared [kpc^2]
    real(sp), intent(in) :: softening2
    !> Index of the target, and of the first source of the run
    integer, intent(in) :: i, start
    !> Acceleration [(km/s)^2/kpc] and minus the potential [(km/s)^2]
    real(sp) :: pull(4)
    integer :: finish

    pull = 0
    finish = min(start + run_length - 1, size(sources, 1))
    if (i < start .or. i > finish) then
      call add(start, finish)
    else
      call add(start, i - 1)
      call add(i + 1, finish)
    end if

  contains

    pure subroutine add(from, to)
      !> Indices of the first and the last source
      integer, intent(in) :: from, to

      call add_pull(sources(from:to, 1), sources(from:to, 2), sources(from:to, 3), sources(from:to, 4), &
                    sources(i, 1:3), softening2, pull)
    end subroutine add
  end function run_single

  subroutine sum_double(sources, softening2, threads, acceleration, potential)
    !> x, y, z [kpc] and G m [kpc (km/s)^2], shape (n, 4)
    real(dp), contiguous, intent(in) :: sources(:, :)
    !> Softening length squared [kpc^2]
    real(dp), intent(in) :: softening2
    !> Number of threads, at least 1
    integer, intent(in) :: threads
    !> Accelerations [(km/s)^2/kpc], shape (3, n)
    real(dp), intent(out) :: acceleration(:, :)
    !> Potentials [(km/s)^2], shape (n)
    real(dp), intent(out) :: potential(:)
    real(dp) :: pull(4, block_size)
    integer :: n, first, start, i

    n = size(sources, 1)
    !$omp parallel do schedule(dynamic) num_threads(threads) default(none) &
    !$omp& shared(n, sources, softening2, acceleration, potential) private(pull, start, i)
    do first = 1, n, block_size
      pull = 0
      do start = 1, n, run_length
        do i = first, min(first + block_size - 1, n)
          pull(:, i - first + 1) = pull(:, i - first + 1) + run_double(sources, softening2, i, start)
        end do
      end do
      do i = first, min(first + block_size - 1, n)
        acceleration(:, i) = pull(1:3, i - first + 1)
        potential(i) = -pull(4, i - first + 1)
      end do
    end do
    !$omp end parallel do
  end subroutine sum_double

  !> The pull of one run of sources on a target, which skips itself.
  pure function run_double(sources, softening2, i, start) result(pull)
    !> x, y, z [kpc] and G m [kpc (km/s)^2], shape (n, 4)
    real(dp), contiguous, intent(in) :: sources(:, :)
    !> Softening length squared [kpc^2]
    real(dp), intent(in) :: softening2
    !> Index of the target, and of the first source of the run
    integer, intent(in) :: i, start
    !> Acceleration [(km/s)^2/kpc] and minus the potential [(km/s)^2]
    real(dp) :: pull(4)
    integer :: finish

    pull = 0
    finish = min(start + run_length - 1, size(sources, 1))
    if (i < start .or. i > finish) then
      call add(start, finish)
    else
      call add(start, i - 1)
      call add(i + 1, finish)
    end if

  contains

    pure subroutine add(from, to)
      !> Indices of the first and the last source
      integer, intent(in) :: from, to

      call add_pull(sources(from:to, 1), sources(from:to, 2), sources(from:to, 3), sources(from:to, 4), &
                    sources(i, 1:3), softening2, pull)
    end subroutine add
  end function run_double
end module galclass_gravity_direct
