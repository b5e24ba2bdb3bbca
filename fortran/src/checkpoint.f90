!> The checkpoints of a run: two generations, of which the newer is whole before the older is touched.
module galclass_checkpoint
  use galclass_kinds, only: dp
  use galclass_errors, only: error_t, file_error
  use galclass_files, only: remove_file
  use galclass_leapfrog, only: leapfrog_t
  use galclass_energy_log, only: energy_log_t
  use galclass_progress, only: seconds
  use galclass_checkpoint_file, only: run_t, difference, write_checkpoint_file, check_checkpoint_file, &
                                      read_checkpoint_file
  implicit none
  private
  public :: checkpoints_t, find_checkpoint, read_checkpoint, write_checkpoint, remove_checkpoints

  type :: checkpoints_t
    !> Folder they lie in
    character(len=:), allocatable :: folder
    !> The run they belong to
    type(run_t) :: run
    !> Which of the two is the last good one, 0 if there is none
    integer :: newest = 0
    !> Its step, -1 if there is none
    integer :: step = -1
    !> When it was written, or the search for it began [s of `seconds`]
    real(dp) :: written = 0
    !> How long writing one takes [s]
    real(dp) :: duration = 0
  end type checkpoints_t

  character(len=*), parameter :: names(2) = ['checkpoint_a.bin', 'checkpoint_b.bin']

contains

  !> Look for a checkpoint to go on from: the newer one, or the older if the newer is damaged.
  subroutine find_checkpoint(folder, run, checkpoints, warning, error)
    !> Folder of the run
    character(len=*), intent(in) :: folder
    !> The run
    type(run_t), intent(in) :: run
    !> The checkpoints; `newest` is 0 if the run is to start from its beginning
    type(checkpoints_t), intent(out) :: checkpoints
    !> What is wrong with a checkpoint that is not used; empty if nothing is
    character(len=:), allocatable, intent(out) :: warning
    !> Allocated if there are checkpoints but none to go on from
    type(error_t), allocatable, intent(out) :: error
    character(len=:), allocatable :: problem, problems
    type(run_t) :: found(2)
    integer :: slot, step
    logical :: exists

    checkpoints%folder = folder
    checkpoints%run = run
    checkpoints%written = seconds()
    ! Until one is written: a second, and a particle's 100 bytes at 50 MB/s.
    checkpoints%duration = 1 + 2.0e-6_dp*run%counts(2)
    problems = ''
    do slot = 1, 2
      inquire (file=path(folder, slot), exist=exists)
      if (.not. exists) cycle
      call check_checkpoint_file(path(folder, slot), found(slot), step, problem)
      if (len(problem) > 0) problems = problems//', '//names(slot)//': '//problem
      if (step > checkpoints%step) checkpoints%newest = slot
      checkpoints%step = max(step, checkpoints%step)
    end do
    warning = problems(3:)
    if (checkpoints%newest > 0) then
      problem = difference(found(checkpoints%newest), run)
      if (len(problem) > 0) error = file_error(path(folder, checkpoints%newest), 'belongs to another run ('// &
        problem//'): give another output, or delete the checkpoints there to start anew')
    else if (len(warning) > 0) then
      error = file_error(folder, 'no checkpoint can be used ('//warning//'): delete them to start anew')
    end if
  end subroutine find_checkpoint

  pure function path(folder, slot) result(file)
    !> Folder of the run
    character(len=*), intent(in) :: folder
    !> 1 or 2
    integer, intent(in) :: slot
    character(len=:), allocatable :: file

    file = folder//'/'//names(slot)
  end function path

  !> Take up the particles and the log where the newest checkpoint left them.
  subroutine read_checkpoint(checkpoints, state, log, error)
    !> The checkpoints
    type(checkpoints_t), intent(in) :: checkpoints
    !> The particles; how forces and steps are made is left alone
    type(leapfrog_t), intent(inout) :: state
    !> The log; its rows are allocated
    type(energy_log_t), intent(inout) :: log
    !> Allocated if the checkpoint cannot be read
    type(error_t), allocatable, intent(out) :: error

    call read_checkpoint_file(path(checkpoints%folder, checkpoints%newest), state, log, error)
  end subroutine read_checkpoint

  !> Write a checkpoint in the place of the older one.
  subroutine write_checkpoint(checkpoints, step, state, log, error)
    !> The checkpoints
    type(checkpoints_t), intent(inout) :: checkpoints
    !> Steps done
    integer, intent(in) :: step
    !> The particles
    type(leapfrog_t), intent(in) :: state
    !> The log
    type(energy_log_t), intent(in) :: log
    !> Allocated if it cannot be written; the last good one is untouched then
    type(error_t), allocatable, intent(out) :: error
    real(dp) :: begin
    integer :: slot

    begin = seconds()
    slot = merge(2, 1, checkpoints%newest == 1)
    call write_checkpoint_file(checkpoints%folder//'/checkpoint.partial', path(checkpoints%folder, slot), &
                               checkpoints%run, step, state, log, error)
    if (allocated(error)) return
    checkpoints%newest = slot
    checkpoints%step = step
    checkpoints%written = seconds()
    checkpoints%duration = checkpoints%written - begin
  end subroutine write_checkpoint

  !> Remove all checkpoints of a run that is complete.
  subroutine remove_checkpoints(checkpoints)
    !> The checkpoints
    type(checkpoints_t), intent(in) :: checkpoints
    integer :: slot

    do slot = 1, 2
      call remove_file(path(checkpoints%folder, slot))
    end do
    call remove_file(checkpoints%folder//'/checkpoint.partial')
  end subroutine remove_checkpoints
end module galclass_checkpoint
