!> Settings of a run of program merger, read from a namelist and checked.
module galclass_merger_settings
  use galclass_kinds, only: dp
  use galclass_errors, only: error_t, value_error
  use galclass_gravity, only: solver_tree, solver_direct, solver_direct_double
  use galclass_namelists, only: missing_real, missing_integer, missing_text, text_length, open_namelist, &
                                reading_error, check_real, check_integer, check_text
  implicit none
  private
  public :: merger_settings_t, read_merger_settings

  type :: merger_settings_t
    !> Path of the initial conditions, a GADGET snapshot
    character(len=:), allocatable :: initial
    !> Folder for the snapshots, the energy log and the checkpoints
    character(len=:), allocatable :: output
    !> Longest time step [kpc/(km/s)]
    real(dp) :: time_step = 0
    !> Longest steps from one snapshot to the next
    integer :: steps_per_snapshot = 0
    !> Snapshots after the first, which is the initial state
    integer :: snapshots = 0
    !> Deepest level of the block steps, each half as long as the one above; 0 for fixed steps
    integer :: levels = 0
    !> Eta of a particle's step sqrt(2 eta softening/|acceleration|)
    real(dp) :: step_accuracy = 0
    !> Softening length [kpc]
    real(dp) :: softening = 0
    !> solver_tree, solver_direct or solver_direct_double of galclass_gravity
    integer :: solver = solver_tree
    !> Opening parameter of the tree
    real(dp) :: accuracy = 0
    !> Number of threads, 0 for all
    integer :: threads = 0
    !> Wall-clock time between checkpoints [s]
    real(dp) :: checkpoint_interval = 0
    !> Wall-clock time the program may take [s], 0 for as long as it needs
    real(dp) :: wall_time = 0
  end type merger_settings_t

  character(len=*), parameter :: allowed_solvers = "'tree', 'direct' or 'direct_double'"

contains

  !> Read and check the namelist &merger of a file.
  subroutine read_merger_settings(file, settings, error)
    !> Path of the namelist
    character(len=*), intent(in) :: file
    !> The settings
    type(merger_settings_t), intent(out) :: settings
    !> Allocated if a setting is missing, unknown or out of range
    type(error_t), allocatable, intent(out) :: error
    character(len=text_length) :: initial, output, solver, message
    real(dp) :: time_step, step_accuracy, softening, accuracy, checkpoint_interval, wall_time
    integer :: steps_per_snapshot, snapshots, levels, threads, unit, iostat
    namelist /merger/ initial, output, time_step, steps_per_snapshot, snapshots, levels, step_accuracy, softening, &
      solver, accuracy, threads, checkpoint_interval, wall_time

    initial = missing_text; output = missing_text; solver = missing_text
    time_step = missing_real; step_accuracy = missing_real; softening = missing_real; accuracy = missing_real
    checkpoint_interval = missing_real; wall_time = missing_real
    steps_per_snapshot = missing_integer; snapshots = missing_integer
    levels = missing_integer; threads = missing_integer
    call open_namelist(file, unit, error)
    if (allocated(error)) return
    read (unit, nml=merger, iostat=iostat, iomsg=message)
    close (unit)
    if (iostat /= 0) then
      error = reading_error(file, 'merger', iostat, message)
      return
    end if

    call check_text(file, 'initial', initial, 'the path of a GADGET snapshot', error)
    call check_text(file, 'output', output, 'the path of a folder', error)
    call check_text(file, 'solver', solver, allowed_solvers, error)
    call check_real(file, 'time_step', time_step, 0.0_dp, huge(1.0_dp), .true., error)
    call check_integer(file, 'steps_per_snapshot', steps_per_snapshot, 1, 1000000, error)
    call check_integer(file, 'snapshots', snapshots, 1, 999, error)
    call check_integer(file, 'levels', levels, 0, 20, error)
    call check_real(file, 'step_accuracy', step_accuracy, 0.0_dp, 10.0_dp, .true., error)
    call check_real(file, 'softening', softening, 0.0_dp, huge(1.0_dp), levels > 0 .or. solver == 'tree', error)
    call check_real(file, 'accuracy', accuracy, 0.0_dp, 1.0_dp, .true., error)
    call check_integer(file, 'threads', threads, 0, 1024, error)
    call check_real(file, 'checkpoint_interval', checkpoint_interval, 0.0_dp, huge(1.0_dp), .false., error)
    call check_real(file, 'wall_time', wall_time, 0.0_dp, huge(1.0_dp), .false., error)
    if (allocated(error)) return
    settings%initial = trim(initial)
    settings%output = trim(output)
    settings%time_step = time_step
    settings%steps_per_snapshot = steps_per_snapshot
    settings%snapshots = snapshots
    settings%levels = levels
    settings%step_accuracy = step_accuracy
    settings%softening = softening
    settings%accuracy = accuracy
    settings%threads = threads
    settings%checkpoint_interval = checkpoint_interval
    settings%wall_time = wall_time
    call read_solver(file, trim(solver), settings%solver, error)
  end subroutine read_merger_settings

  pure subroutine read_solver(file, word, solver, error)
    !> Path of the namelist
    character(len=*), intent(in) :: file
    !> What the user wrote
    character(len=*), intent(in) :: word
    !> solver_tree, solver_direct or solver_direct_double
    integer, intent(out) :: solver
    !> Allocated if the word is none of them
    type(error_t), allocatable, intent(out) :: error

    solver = solver_tree
    select case (word)
    case ('tree')
      solver = solver_tree
    case ('direct')
      solver = solver_direct
    case ('direct_double')
      solver = solver_direct_double
    case default
      error = value_error(file, 'solver', "'"//word//"'", allowed_solvers)
    end select
  end subroutine read_solver
end module galclass_merger_settings
