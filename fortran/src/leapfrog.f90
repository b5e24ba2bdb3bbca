!> The leapfrog in the form kick, drift, kick (Quinn et al. 1997): symplectic, reversible in time, second order.
module galclass_leapfrog
  use galclass_kinds, only: dp
  use galclass_errors, only: error_t
  use galclass_gravity_direct, only: accelerations
  implicit none
  private
  public :: gravity_t, leapfrog_t, start_leapfrog, advance

  !> How forces are computed.
  type :: gravity_t
    !> Softening length [kpc]
    real(dp) :: softening = 0
    !> single_precision or double_precision of galclass_gravity_direct
    integer :: precision = 1
    !> Number of threads, 0 for all
    integer :: threads = 0
  end type gravity_t

  !> Particles on their way.
  type :: leapfrog_t
    !> How forces are computed
    type(gravity_t) :: gravity
    !> Time [kpc/(km/s)]
    real(dp) :: time = 0
    !> Positions [kpc], shape (3, n)
    real(dp), allocatable :: positions(:, :)
    !> Velocities [km/s], shape (3, n), at the same time as the positions
    real(dp), allocatable :: velocities(:, :)
    !> Masses [1e10 Msun], shape (n)
    real(dp), allocatable :: masses(:)
    !> Accelerations at these positions [(km/s)^2/kpc], shape (3, n)
    real(dp), allocatable :: accelerations(:, :)
    !> Potentials at these positions [(km/s)^2], shape (n)
    real(dp), allocatable :: potentials(:)
  end type leapfrog_t

contains

  !> Take up particles and compute their first accelerations. Not pure: gravity runs in threads.
  subroutine start_leapfrog(positions, velocities, masses, time, gravity, state, error)
    !> Positions [kpc], shape (3, n)
    real(dp), intent(in) :: positions(:, :)
    !> Velocities [km/s], shape (3, n)
    real(dp), intent(in) :: velocities(:, :)
    !> Masses [1e10 Msun], shape (n)
    real(dp), intent(in) :: masses(:)
    !> Time [kpc/(km/s)]
    real(dp), intent(in) :: time
    !> How forces are computed
    type(gravity_t), intent(in) :: gravity
    !> Particles ready for `advance`
    type(leapfrog_t), intent(out) :: state
    !> Allocated if the forces cannot be computed
    type(error_t), allocatable, intent(out) :: error

    state%gravity = gravity
    state%time = time
    state%positions = positions
    state%velocities = velocities
    state%masses = masses
    allocate (state%accelerations(3, size(masses)), state%potentials(size(masses)))
    call update_forces(state, error)
  end subroutine start_leapfrog

  !> One step: half a kick, a drift, half a kick. Not pure: gravity runs in threads.
  subroutine advance(state, time_step, error)
    !> Particles; accelerations must belong to the positions
    type(leapfrog_t), intent(inout) :: state
    !> Time step [kpc/(km/s)]; a negative one goes back
    real(dp), intent(in) :: time_step
    !> Allocated if the forces cannot be computed
    type(error_t), allocatable, intent(out) :: error

    state%velocities = state%velocities + 0.5_dp*time_step*state%accelerations
    state%positions = state%positions + time_step*state%velocities
    call update_forces(state, error)
    state%velocities = state%velocities + 0.5_dp*time_step*state%accelerations
    state%time = state%time + time_step
  end subroutine advance

  subroutine update_forces(state, error)
    !> Particles; their accelerations and potentials are set
    type(leapfrog_t), intent(inout) :: state
    !> Allocated if the forces cannot be computed
    type(error_t), allocatable, intent(out) :: error

    call accelerations(state%positions, state%masses, state%gravity%softening, state%gravity%precision, &
                       state%gravity%threads, state%accelerations, state%potentials, error)
  end subroutine update_forces
end module galclass_leapfrog
