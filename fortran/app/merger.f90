!> Evolves an initial-condition file to snapshots: live N-body with leapfrog and a tree or direct summation.
!>
!> usage: merger NAMELIST
!>
!> It goes on by itself from a checkpoint of an earlier call. Exit codes: 0 the run is complete, 1 it failed, 2 wrong
!> usage, 75 it stopped in good order before its end, and the same command continues it.
program merger
  use, intrinsic :: iso_fortran_env, only: error_unit
  use galclass_kinds, only: dp, i4, i8
  use galclass_errors, only: error_t, plain_error, file_error, text
  use galclass_files, only: make_folder, remove_file
  use galclass_particles, only: particles_t, type_gas
  use galclass_gadget, only: read_gadget, write_gadget
  use galclass_coincidence, only: find_coincidence
  use galclass_merger_settings, only: merger_settings_t, read_merger_settings
  use galclass_gravity, only: gravity_t
  use galclass_leapfrog, only: leapfrog_t, stepping_t, start_leapfrog, advance
  use galclass_energy_log, only: energy_log_t, columns, open_energy_log, log_energy, close_energy_log, largest_drifts
  use galclass_checksum, only: checksum_t, add_integers, add_reals
  use galclass_checkpoint_file, only: run_t
  use galclass_checkpoint, only: checkpoints_t, find_checkpoint, read_checkpoint, write_checkpoint, remove_checkpoints
  use galclass_progress, only: progress_t, start_progress, report_progress, say, seconds
  use galclass_signals, only: watch_signals, stop_signal
  implicit none
  !> As EX_TEMPFAIL of sysexits.h.
  integer, parameter :: exit_stopped = 75
  type(error_t), allocatable :: error
  logical :: complete

  call main(complete, error)
  if (allocated(error)) then
    write (error_unit, '(a)') 'merger: '//error%message
    stop 1, quiet=.true.
  else if (.not. complete) then
    stop exit_stopped, quiet=.true.
  end if

contains

  subroutine main(complete, error)
    !> Whether the run came to its end
    logical, intent(out) :: complete
    !> Allocated if something failed
    type(error_t), allocatable, intent(out) :: error
    type(merger_settings_t) :: settings
    type(particles_t) :: particles
    type(leapfrog_t) :: state
    type(energy_log_t) :: log
    type(checkpoints_t) :: checkpoints
    character(len=4096) :: namelist
    real(dp) :: started

    complete = .false.
    started = seconds()
    if (command_argument_count() /= 1) then
      write (error_unit, '(a)') 'usage: merger NAMELIST'
      stop 2, quiet=.true.
    end if
    call watch_signals()
    call get_command_argument(1, namelist)
    call read_merger_settings(trim(namelist), settings, error)
    if (.not. allocated(error)) call read_gadget(settings%initial, particles, error)
    if (.not. allocated(error)) call check_initial(settings%initial, particles, error)
    if (.not. allocated(error)) call make_folder(settings%output, error)
    if (.not. allocated(error)) call begin(settings, particles, state, log, checkpoints, error)
    if (.not. allocated(error)) call run(settings, particles, started, state, log, checkpoints, complete, error)
  end subroutine main

  !> Refuse initial conditions that gravity alone cannot evolve.
  subroutine check_initial(file, particles, error)
    !> Path of the initial conditions
    character(len=*), intent(in) :: file
    !> The initial state
    type(particles_t), intent(in) :: particles
    !> Allocated if the state is refused
    type(error_t), allocatable, intent(out) :: error
    integer :: first, second

    if (particles%numbers(type_gas) > 0) then
      error = file_error(file, 'holds '//text(particles%numbers(type_gas))// &
                         ' gas particles (type 0): merger evolves stars and dark matter only')
      return
    end if
    call find_coincidence(particles%positions, first, second)
    if (first > 0) error = file_error(file, 'particles '//text(first)//' and '//text(second)// &
                                      ' lie at one point: give each a place of its own')
  end subroutine check_initial

  !> What decides the result of a run.
  pure function described(settings, particles) result(run)
    !> The settings
    type(merger_settings_t), intent(in) :: settings
    !> The initial state
    type(particles_t), intent(in) :: particles
    type(run_t) :: run
    type(checksum_t) :: sum
    integer(i8) :: n

    n = size(particles%masses)
    call add_reals(sum, 1_i8, [particles%time])
    call add_reals(sum, 3*n, particles%positions)
    call add_reals(sum, 3*n, particles%velocities)
    call add_reals(sum, n, particles%masses)
    call add_integers(sum, n, int(particles%ids, i8))
    call add_integers(sum, 6_i8, int(particles%numbers, i8))
    run%counts = [sum%bits, n, int([settings%steps_per_snapshot, settings%snapshots, settings%levels, settings%solver], i8)]
    run%sizes = [settings%time_step, settings%step_accuracy, settings%softening, settings%accuracy]
  end function described

  !> Take the particles up, from a checkpoint if there is one.
  subroutine begin(settings, particles, state, log, checkpoints, error)
    !> The settings of the run
    type(merger_settings_t), intent(in) :: settings
    !> The initial state; afterwards only times, identifiers and types are left
    type(particles_t), intent(inout) :: particles
    !> The particles as they move
    type(leapfrog_t), intent(out) :: state
    !> The log, with the rows there are already
    type(energy_log_t), intent(out) :: log
    !> The checkpoints
    type(checkpoints_t), intent(out) :: checkpoints
    !> Allocated if the checkpoints cannot be used or the forces cannot be computed
    type(error_t), allocatable, intent(out) :: error
    type(gravity_t) :: gravity
    type(stepping_t) :: stepping
    character(len=:), allocatable :: warning

    stepping = stepping_t(settings%levels, settings%step_accuracy)
    gravity = gravity_t(settings%solver, settings%softening, settings%accuracy, settings%threads)
    allocate (log%rows(columns, rows_per_snapshot(settings)*settings%snapshots + 1))
    call find_checkpoint(settings%output, described(settings, particles), checkpoints, warning, error)
    if (allocated(error)) return
    if (len(warning) > 0) call say('merger: a checkpoint is damaged and not used: '//warning)
    if (checkpoints%newest > 0) then
      deallocate (particles%positions, particles%velocities, particles%masses)
      state%gravity = gravity
      state%stepping = stepping
      call read_checkpoint(checkpoints, state, log, error)
      if (.not. allocated(error)) call say('merger: continuing at step '//text(checkpoints%step))
    else
      call remove_file(settings%output//'/energy.csv')
      call start_leapfrog(particles%positions, particles%velocities, particles%masses, particles%time, gravity, &
                          stepping, state, error)
      if (allocated(error)) error = file_error(settings%initial, error%message)
    end if
  end subroutine begin

  !> Rows of the log from one snapshot to the next: four, where there are so many steps.
  pure function rows_per_snapshot(settings) result(rows)
    !> The settings
    type(merger_settings_t), intent(in) :: settings
    integer :: rows

    rows = min(4, settings%steps_per_snapshot)
  end function rows_per_snapshot

  !> Evolve, writing snapshots, the log and checkpoints.
  subroutine run(settings, particles, started, state, log, checkpoints, complete, error)
    !> The settings of the run
    type(merger_settings_t), intent(in) :: settings
    !> Time at the start, identifiers and types of the particles
    type(particles_t), intent(in) :: particles
    !> When the program was started [s of `seconds`]
    real(dp), intent(in) :: started
    !> The particles as they move
    type(leapfrog_t), intent(inout) :: state
    !> The log
    type(energy_log_t), intent(inout) :: log
    !> The checkpoints
    type(checkpoints_t), intent(inout) :: checkpoints
    !> Whether the run came to its end
    logical, intent(out) :: complete
    !> Allocated if a file cannot be written or forces are not finite
    type(error_t), allocatable, intent(out) :: error
    type(progress_t) :: progress
    character(len=:), allocatable :: reason
    real(dp) :: longest, now
    integer :: step, steps
    logical :: due

    complete = .false.
    steps = settings%steps_per_snapshot*settings%snapshots
    step = max(checkpoints%step, 0)
    longest = 0
    progress = start_progress('merger', steps, step)
    call open_energy_log(settings%output//'/energy.csv', log, error)
    if (log%count == 0 .and. .not. allocated(error)) call record(settings, 0, particles, state, log, error)
    do while (step < steps .and. .not. allocated(error))
      now = seconds()
      reason = reason_to_stop(settings%wall_time, now - started, longest, checkpoints%duration)
      due = len(reason) > 0 .or. now - checkpoints%written >= settings%checkpoint_interval
      if (due .and. step > checkpoints%step) then
        call write_checkpoint(checkpoints, step, state, log, error)
        if (allocated(error)) return
        now = seconds()
      end if
      if (len(reason) > 0) then
        call say('merger: stopped at step '//text(step)//' of '//text(steps)//' ('//reason// &
                 '); the same command continues')
        return
      end if
      step = step + 1
      call advance(state, settings%time_step, error)
      if (allocated(error)) error = plain_error('step '//text(step)//' of '//text(steps)//': '//error%message)
      state%time = particles%time + step*settings%time_step
      if (.not. allocated(error)) call record(settings, step, particles, state, log, error)
      longest = max(longest, seconds() - now)
      call report_progress(progress, step)
    end do
    if (.not. allocated(error)) call close_energy_log(log, error)
    if (allocated(error)) return
    ! The log has its name: the run is complete, whatever happens now.
    complete = .true.
    call remove_checkpoints(checkpoints)
    call say(summary(steps, state, seconds() - started, largest_drifts(log)))
  end subroutine run

  !> Why the run must stop now; empty if it need not.
  function reason_to_stop(wall_time, elapsed, longest, duration) result(reason)
    !> Wall-clock time the program may take [s], 0 for as long as it needs
    real(dp), intent(in) :: wall_time
    !> Wall-clock time since its start [s]
    real(dp), intent(in) :: elapsed
    !> The longest step so far [s], 0 before the first: one step is made even if there is time for none
    real(dp), intent(in) :: longest
    !> How long writing a checkpoint takes [s]
    real(dp), intent(in) :: duration
    character(len=:), allocatable :: reason

    reason = stop_signal()
    if (len(reason) == 0 .and. wall_time > 0 .and. longest > 0 .and. elapsed + 1.2_dp*(longest + duration) > wall_time) &
      reason = 'wall_time is near'
  end function reason_to_stop

  !> Write the snapshot and the row of the log that fall on a step.
  subroutine record(settings, step, particles, state, log, error)
    !> The settings of the run
    type(merger_settings_t), intent(in) :: settings
    !> Steps done
    integer, intent(in) :: step
    !> Identifiers and types of the particles
    type(particles_t), intent(in) :: particles
    !> The particles as they move
    type(leapfrog_t), intent(in) :: state
    !> The log
    type(energy_log_t), intent(inout) :: log
    !> Allocated if a file cannot be written
    type(error_t), allocatable, intent(out) :: error
    integer :: rows, within

    rows = rows_per_snapshot(settings)
    within = mod(step, settings%steps_per_snapshot)
    if (within == 0) call write_snapshot(settings, step/settings%steps_per_snapshot, particles, state, error)
    if (within > 0 .and. rows*within/settings%steps_per_snapshot == rows*(within - 1)/settings%steps_per_snapshot) return
    if (.not. allocated(error)) call log_energy(log, state, error)
  end subroutine record

  subroutine write_snapshot(settings, number, particles, state, error)
    !> The settings of the run
    type(merger_settings_t), intent(in) :: settings
    !> Number of the snapshot, from 0
    integer, intent(in) :: number
    !> Identifiers and types of the particles
    type(particles_t), intent(in) :: particles
    !> The particles as they move
    type(leapfrog_t), intent(in) :: state
    !> Allocated if the file cannot be written
    type(error_t), allocatable, intent(out) :: error
    character(len=16) :: name
    integer(i4), allocatable :: places(:)
    integer :: i

    allocate (places(size(state%origin)))
    do i = 1, size(places)
      places(state%origin(i)) = i
    end do
    write (name, '("snapshot_", i3.3, ".dat")') number
    call write_gadget(settings%output//'/'//name, state%time, particles, state%positions, state%velocities, &
                      state%masses, places, error)
  end subroutine write_snapshot

  !> What a complete run says of itself.
  pure function summary(steps, state, wall, drifts) result(line)
    !> Longest steps done
    integer, intent(in) :: steps
    !> The particles
    type(leapfrog_t), intent(in) :: state
    !> Wall-clock time of this call [s]
    real(dp), intent(in) :: wall
    !> Largest drifts of energy, momentum and centre of mass
    real(dp), intent(in) :: drifts(3)
    character(len=:), allocatable :: line
    character(len=160) :: numbers

    write (numbers, '(es9.2, " particle steps,", f6.2, " % of them too long; largest |dE/E|", es9.2, ", momentum drift", &
      &es9.2, ", centre drift", es9.2)') real(state%steps, dp), 100*real(state%steps_too_long, dp)/max(state%steps, 1_i8), drifts
    line = 'merger: '//text(steps)//' steps of '//text(size(state%masses))//' particles in '//text(wall)//' s:'//trim(numbers)
  end function summary
end program merger
