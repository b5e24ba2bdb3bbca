!> Gravity of a set of particles by the solver that the user chose: the tree, or direct summation as its oracle.
module galclass_gravity
  use, intrinsic :: ieee_arithmetic, only: ieee_is_finite
  use galclass_kinds, only: dp, i1, i4
  use galclass_errors, only: error_t, plain_error, text
  use galclass_threads, only: thread_count
  use galclass_gravity_direct, only: single_precision, double_precision, accelerations
  use galclass_tree, only: tree_t, grow_tree, refresh_tree
  use galclass_tree_gravity, only: opening_t, effort_t, tree_accelerations
  implicit none
  private
  public :: gravity_t, field_t, solver_tree, solver_direct, solver_direct_double, sort_in_space, first_forces, &
            update_forces

  !> Fast multipole method of galclass_tree_gravity.
  integer, parameter :: solver_tree = 1
  !> All pairs, in real32 and in real64.
  integer, parameter :: solver_direct = 2, solver_direct_double = 3
  !> Largest sum of two cells' radii over their distance: beyond it the expansions hardly converge.
  real(dp), parameter :: widest_angle = 0.9_dp
  !> That angle where no accelerations are known yet to weigh errors by.
  real(dp), parameter :: first_angle = 0.6_dp

  !> Longest side of a leaf in softening lengths: within it real32 tells places apart to a thousandth of the softening.
  real(dp), parameter :: widest_leaf = 1.0e4_dp

  !> How forces are computed.
  type :: gravity_t
    !> solver_tree, solver_direct or solver_direct_double
    integer :: solver = solver_tree
    !> Plummer softening length [kpc]; the tree needs one > 0
    real(dp) :: softening = 0
    !> Largest error of a pair of cells in units of the acceleration (tree)
    real(dp) :: accuracy = 0.01_dp
    !> Number of threads, 0 for all
    integer :: threads = 0
  end type gravity_t

  !> What a solver keeps between two calls: made from the positions alone.
  type :: field_t
    !> Whether the particles are in the solver's order
    logical :: ready = .false.
    type(tree_t) :: tree
    !> How much work the last forces were
    type(effort_t) :: effort
  end type field_t

contains

  !> The order in which the solver wants the particles; to be called before the first forces, and now and then after.
  subroutine sort_in_space(gravity, positions, field, order)
    !> How forces are computed
    type(gravity_t), intent(in) :: gravity
    !> Positions [kpc], shape (3, n)
    real(dp), intent(in) :: positions(:, :)
    !> Ready for positions in the new order
    type(field_t), intent(inout) :: field
    !> Which particle goes to each place, shape (n)
    integer(i4), allocatable, intent(out) :: order(:)
    integer :: i

    field%ready = .true.
    if (gravity%solver == solver_tree) then
      call grow_tree(positions, widest_leaf*gravity%softening, &
                     thread_count(gravity%threads, size(positions, 2), 5000), field%tree, order)
    else
      order = [(i, i=1, size(positions, 2))]
    end if
  end subroutine sort_in_space

  !> Forces on all particles when none are known yet.
  subroutine first_forces(gravity, positions, masses, field, acceleration, potential, error)
    !> How forces are computed
    type(gravity_t), intent(in) :: gravity
    !> Positions [kpc], shape (3, n), in the solver's order
    real(dp), intent(in) :: positions(:, :)
    !> Masses [1e10 Msun], shape (n)
    real(dp), intent(in) :: masses(:)
    !> What sort_in_space left
    type(field_t), intent(inout) :: field
    !> Accelerations [(km/s)^2/kpc], shape (3, n), and potentials [(km/s)^2], shape (n)
    real(dp), intent(out) :: acceleration(:, :), potential(:)
    !> Allocated if the solver cannot work with these, or a result is not finite
    type(error_t), allocatable, intent(out) :: error
    logical(i1) :: all_active(size(masses))

    if (gravity%solver == solver_tree .and. .not. gravity%softening > 0) then
      error = plain_error('gravity: softening '//text(gravity%softening)//': the tree needs a softening > 0')
      return
    end if
    all_active = .true._i1
    acceleration = 0
    if (gravity%solver == solver_tree) then
      call tree_forces(gravity, opening_t(first_angle**2, huge(1.0_dp), gravity%softening), positions, masses, &
                       all_active, field, acceleration, potential)
    end if
    call update_forces(gravity, positions, masses, all_active, field, acceleration, potential, error)
  end subroutine first_forces

  !> Forces on the active particles.
  subroutine update_forces(gravity, positions, masses, active, field, acceleration, potential, error)
    !> How forces are computed
    type(gravity_t), intent(in) :: gravity
    !> Positions [kpc], shape (3, n), in the solver's order
    real(dp), intent(in) :: positions(:, :)
    !> Masses [1e10 Msun], shape (n)
    real(dp), intent(in) :: masses(:)
    !> Whose forces are wanted, shape (n); direct summation gives all
    logical(i1), intent(in) :: active(:)
    !> What sort_in_space left
    type(field_t), intent(inout) :: field
    !> Accelerations [(km/s)^2/kpc], shape (3, n), the last ones on entry; potentials [(km/s)^2], shape (n)
    real(dp), intent(inout) :: acceleration(:, :), potential(:)
    !> Allocated if the solver is unknown or a result is not finite
    type(error_t), allocatable, intent(out) :: error

    select case (gravity%solver)
    case (solver_tree)
      call tree_forces(gravity, opening_t(widest_angle**2, gravity%accuracy, gravity%softening), &
                       positions, masses, active, field, acceleration, potential)
      if (.not. (all(ieee_is_finite(acceleration)) .and. all(ieee_is_finite(potential)))) then
        error = plain_error('gravity: an acceleration is not finite: a position, mass or softening is out of range')
      end if
    case (solver_direct)
      call accelerations(positions, masses, gravity%softening, single_precision, gravity%threads, acceleration, &
                         potential, error)
    case (solver_direct_double)
      call accelerations(positions, masses, gravity%softening, double_precision, gravity%threads, acceleration, &
                         potential, error)
    case default
      error = plain_error('gravity: solver '//text(gravity%solver)//' is unknown: allowed are 1 (tree), 2, 3 (direct)')
    end select
  end subroutine update_forces

  subroutine tree_forces(gravity, opening, positions, masses, active, field, acceleration, potential)
    !> How forces are computed
    type(gravity_t), intent(in) :: gravity
    !> When cells are far from each other
    type(opening_t), intent(in) :: opening
    !> Positions [kpc], shape (3, n), in the solver's order
    real(dp), intent(in) :: positions(:, :)
    !> Masses [1e10 Msun], shape (n)
    real(dp), intent(in) :: masses(:)
    !> Whose forces are wanted, shape (n)
    logical(i1), intent(in) :: active(:)
    !> What sort_in_space left
    type(field_t), intent(inout) :: field
    !> Accelerations [(km/s)^2/kpc], shape (3, n), the last ones on entry; potentials [(km/s)^2], shape (n)
    real(dp), intent(inout) :: acceleration(:, :), potential(:)

    call refresh_tree(positions, masses, acceleration, active, thread_count(gravity%threads, size(masses), 5000), &
                      field%tree)
    call tree_accelerations(field%tree, opening, active, thread_count(gravity%threads, count(active), 500), &
                            acceleration, potential, field%effort)
  end subroutine tree_forces
end module galclass_gravity
