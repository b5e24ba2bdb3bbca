!> The leapfrog in the form kick, drift, kick with block time steps (Quinn et al. 1997; Springel 2005): each particle
!> moves by the longest step divided by a power of two, short where its acceleration is large.
!>
!> With levels = 0 it is the plain leapfrog: symplectic, reversible in time, second order. Every change of a particle's
!> level breaks the symplectic map a little, and accelerations are noisy; so the criterion also looks at the potential,
!> which is smooth: it takes the larger of |a| and phi^2/(G M), the acceleration at that depth of a point mass's well.
module galclass_leapfrog
  use galclass_kinds, only: dp, i1, i4, i8
  use galclass_errors, only: error_t
  use galclass_units, only: gravitational_constant
  use galclass_threads, only: thread_count
  use galclass_gravity, only: gravity_t, field_t, sort_in_space, first_forces, update_forces
  implicit none
  private
  public :: stepping_t, leapfrog_t, start_leapfrog, advance

  !> The particles are put into the solver's order anew when at least one in so many is active: sorting costs a fifth of
  !> the forces on all, and a tree whose particles have moved far costs more than that.
  integer, parameter :: sort_share = 10

  !> How long the steps are.
  type :: stepping_t
    !> Deepest level: the shortest step is the longest one over 2**levels; 0 for fixed steps
    integer :: levels = 0
    !> eta in dt = sqrt(2 eta softening/a) (Springel 2005, eq. 34), a the larger of |a| and phi^2/(G M)
    real(dp) :: accuracy = 0.1_dp
  end type stepping_t

  !> Particles on their way. Their order changes, to keep neighbours together; `origin` tells who is who.
  type :: leapfrog_t
    !> How forces are computed
    type(gravity_t) :: gravity
    !> How long the steps are
    type(stepping_t) :: stepping
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
    !> Place of each particle in the list that was taken up, shape (n)
    integer(i4), allocatable :: origin(:)
    !> Particle steps done, and those among them that should have been shorter than the shortest there is
    integer(i8) :: steps = 0, steps_too_long = 0
    !> What the solver keeps; made anew in every full step
    type(field_t) :: field
  end type leapfrog_t

contains

  !> Take up particles and compute their first accelerations. Not pure: gravity runs in threads.
  subroutine start_leapfrog(positions, velocities, masses, time, gravity, stepping, state, error)
    !> Positions [kpc] and velocities [km/s], shape (3, n); they move into the state
    real(dp), allocatable, intent(inout) :: positions(:, :), velocities(:, :)
    !> Masses [1e10 Msun], shape (n); they move into the state
    real(dp), allocatable, intent(inout) :: masses(:)
    !> Time [kpc/(km/s)]
    real(dp), intent(in) :: time
    !> How forces are computed
    type(gravity_t), intent(in) :: gravity
    !> How long the steps are
    type(stepping_t), intent(in) :: stepping
    !> Particles ready for `advance`
    type(leapfrog_t), intent(out) :: state
    !> Allocated if the forces cannot be computed
    type(error_t), allocatable, intent(out) :: error
    integer(i1), allocatable :: level(:)
    integer :: i

    state%gravity = gravity
    state%stepping = stepping
    state%time = time
    call move_alloc(positions, state%positions)
    call move_alloc(velocities, state%velocities)
    call move_alloc(masses, state%masses)
    state%origin = [(i, i=1, size(state%masses))]
    allocate (state%accelerations(3, size(state%masses)), state%potentials(size(state%masses)), source=0.0_dp)
    allocate (level(size(state%masses)), source=0_i1)
    call sort_particles(state, level)
    call first_forces(gravity, state%positions, state%masses, state%field, state%accelerations, state%potentials, error)
  end subroutine start_leapfrog

  !> One longest step; all particles are at the same time before and after. Not pure: gravity runs in threads.
  subroutine advance(state, time_step, error)
    !> Particles; accelerations must belong to the positions
    type(leapfrog_t), intent(inout) :: state
    !> Longest time step [kpc/(km/s)]; a negative one goes back
    real(dp), intent(in) :: time_step
    !> Allocated if the forces cannot be computed
    type(error_t), allocatable, intent(out) :: error
    integer(i1), allocatable :: level(:)
    logical(i1), allocatable :: active(:)
    integer :: tick, ticks

    allocate (level(size(state%masses)), source=0_i1)
    allocate (active(size(state%masses)), source=.true._i1)
    ! After a restart the positions are those of the last sorting, so this changes no order and makes the same tree.
    if (.not. state%field%ready) call sort_particles(state, level)
    ! Time is counted in ticks of the shortest step.
    ticks = 2**state%stepping%levels
    tick = 0
    do while (tick < ticks)
      call choose_levels(state, time_step, tick, active, level)
      call kick(state, time_step, active, level)
      associate (stride => 2**(state%stepping%levels - maxval(level)))
        call drift(state, time_step*stride/ticks)
        tick = tick + stride
      end associate
      call find_active(state, tick, level, active)
      if (sort_share*count(active, kind=i8) >= size(active)) then
        call sort_particles(state, level)
        call find_active(state, tick, level, active)
      end if
      call update_forces(state%gravity, state%positions, state%masses, active, state%field, state%accelerations, &
                         state%potentials, error)
      if (allocated(error)) return
      call kick(state, time_step, active, level)
    end do
    state%time = state%time + time_step
  end subroutine advance

  !> Put the particles into the solver's order.
  subroutine sort_particles(state, level)
    !> The particles
    type(leapfrog_t), intent(inout) :: state
    !> Their levels, shape (n)
    integer(i1), intent(inout) :: level(:)
    integer(i4), allocatable :: order(:)
    integer :: threads

    threads = loop_threads(state)
    call sort_in_space(state%gravity, state%positions, state%field, order)
    call reorder(state%positions, order, threads)
    call reorder(state%velocities, order, threads)
    call reorder(state%accelerations, order, threads)
    state%masses(:) = state%masses(order)
    state%potentials(:) = state%potentials(order)
    state%origin(:) = state%origin(order)
    level(:) = level(order)
  end subroutine sort_particles

  !> Threads for a loop over all particles that does little for each.
  function loop_threads(state) result(threads)
    !> The particles
    type(leapfrog_t), intent(in) :: state
    integer :: threads

    threads = thread_count(state%gravity%threads, size(state%masses), 10000)
  end function loop_threads

  !> Rearrange vectors.
  subroutine reorder(vectors, order, threads)
    !> The vectors, shape (3, n)
    real(dp), allocatable, intent(inout) :: vectors(:, :)
    !> Which of them goes to each place, shape (n)
    integer(i4), intent(in) :: order(:)
    !> Number of threads, at least 1
    integer, intent(in) :: threads
    real(dp), allocatable :: sorted(:, :)
    integer :: i

    allocate (sorted(3, size(order)))
    !$omp parallel do num_threads(threads) default(none) shared(vectors, order, sorted)
    do i = 1, size(order)
      sorted(:, i) = vectors(:, order(i))
    end do
    !$omp end parallel do
    call move_alloc(sorted, vectors)
  end subroutine reorder

  !> Give the active particles their step: no longer than the criterion allows, and in beat with the others.
  subroutine choose_levels(state, time_step, tick, active, level)
    !> The particles
    type(leapfrog_t), intent(inout) :: state
    !> Longest time step [kpc/(km/s)]
    real(dp), intent(in) :: time_step
    !> Ticks since the longest step began
    integer, intent(in) :: tick
    !> Whose step begins, shape (n)
    logical(i1), intent(in) :: active(:)
    !> Levels, shape (n)
    integer(i1), intent(inout) :: level(:)
    real(dp) :: sharpness, per_gm, pull
    integer(i8) :: too_long
    integer :: i, wanted, lowest

    ! A step of level k can begin at multiples of its length only.
    lowest = merge(0, state%stepping%levels - trailz(tick), tick == 0)
    ! (longest step / wanted step)^2 = sharpness a
    sharpness = time_step**2/(2*state%stepping%accuracy*state%gravity%softening)
    per_gm = 1/(gravitational_constant*max(sum(state%masses), tiny(per_gm)))
    too_long = 0
    !$omp parallel do num_threads(loop_threads(state)) default(none) private(wanted, pull) &
    !$omp& shared(state, active, level, sharpness, per_gm, lowest) reduction(+: too_long)
    do i = 1, size(level)
      if (.not. active(i)) cycle
      ! exponent(x) is the k of 2^(k-1) <= x < 2^k.
      pull = max(norm2(state%accelerations(:, i)), state%potentials(i)**2*per_gm)
      wanted = (exponent(sharpness*pull) + 1)/2
      if (wanted > state%stepping%levels) too_long = too_long + 1
      level(i) = int(min(max(wanted, lowest), state%stepping%levels), i1)
    end do
    !$omp end parallel do
    state%steps = state%steps + count(active, kind=i8)
    state%steps_too_long = state%steps_too_long + too_long
  end subroutine choose_levels

  !> Half a kick for the active particles.
  subroutine kick(state, time_step, active, level)
    !> The particles
    type(leapfrog_t), intent(inout) :: state
    !> Longest time step [kpc/(km/s)]
    real(dp), intent(in) :: time_step
    !> Who is kicked, shape (n)
    logical(i1), intent(in) :: active(:)
    !> Levels, shape (n)
    integer(i1), intent(in) :: level(:)
    integer :: i

    !$omp parallel do num_threads(loop_threads(state)) default(none) &
    !$omp& shared(state, time_step, active, level)
    do i = 1, size(level)
      if (.not. active(i)) cycle
      state%velocities(:, i) = state%velocities(:, i) + &
                               scale(0.5_dp*time_step, -int(level(i)))*state%accelerations(:, i)
    end do
    !$omp end parallel do
  end subroutine kick

  !> A drift of all particles.
  subroutine drift(state, time)
    !> The particles
    type(leapfrog_t), intent(inout) :: state
    !> How long [kpc/(km/s)]
    real(dp), intent(in) :: time
    integer :: i

    !$omp parallel do num_threads(loop_threads(state)) default(none) shared(state, time)
    do i = 1, size(state%masses)
      state%positions(:, i) = state%positions(:, i) + time*state%velocities(:, i)
    end do
    !$omp end parallel do
  end subroutine drift

  !> Those whose step ends.
  subroutine find_active(state, tick, level, active)
    !> The particles
    type(leapfrog_t), intent(in) :: state
    !> Ticks since the longest step began
    integer, intent(in) :: tick
    !> Levels, shape (n)
    integer(i1), intent(in) :: level(:)
    !> Whose step ends, shape (n)
    logical(i1), intent(out) :: active(:)
    integer :: i

    !$omp parallel do num_threads(loop_threads(state)) default(none) shared(state, tick, level, active)
    do i = 1, size(level)
      active(i) = logical(trailz(tick) >= state%stepping%levels - level(i), i1)
    end do
    !$omp end parallel do
  end subroutine find_active
end module galclass_leapfrog
