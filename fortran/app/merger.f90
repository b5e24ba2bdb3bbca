!> Evolves an initial-condition file to snapshots: live N-body with leapfrog and direct summation.
!>
!> usage: merger NAMELIST
program merger
  use, intrinsic :: iso_fortran_env, only: error_unit, output_unit
  use galclass_kinds, only: dp
  use galclass_errors, only: error_t, plain_error, file_error, text
  use galclass_files, only: make_folder
  use galclass_particles, only: particles_t, type_gas
  use galclass_gadget, only: read_gadget, write_gadget
  use galclass_merger_settings, only: merger_settings_t, read_merger_settings
  use galclass_leapfrog, only: gravity_t, leapfrog_t, start_leapfrog, advance
  use galclass_energy_log, only: energy_log_t, open_energy_log, log_energy, close_energy_log
  use galclass_progress, only: progress_t, start_progress, report_progress, seconds
  implicit none
  type(error_t), allocatable :: error

  call main(error)
  if (allocated(error)) then
    write (error_unit, '(a)') 'merger: '//error%message
    stop 1, quiet=.true.
  end if

contains

  subroutine main(error)
    !> Allocated if something failed
    type(error_t), allocatable, intent(out) :: error
    type(merger_settings_t) :: settings
    type(particles_t) :: particles
    type(leapfrog_t) :: state
    character(len=4096) :: namelist

    if (command_argument_count() /= 1) then
      write (error_unit, '(a)') 'usage: merger NAMELIST'
      stop 2, quiet=.true.
    end if
    call get_command_argument(1, namelist)
    call read_merger_settings(trim(namelist), settings, error)
    if (.not. allocated(error)) call read_gadget(settings%initial, particles, error)
    if (.not. allocated(error)) call check_initial(settings, particles, error)
    if (.not. allocated(error)) call make_folder(settings%output, error)
    if (.not. allocated(error)) then
      call start_leapfrog(particles%positions, particles%velocities, particles%masses, particles%time, &
                          gravity_t(settings%softening, settings%precision, settings%threads), state, error)
      if (allocated(error)) error = file_error(settings%initial, error%message)
    end if
    if (.not. allocated(error)) call run(settings, particles, state, error)
  end subroutine main

  !> Refuse initial conditions that gravity alone cannot evolve.
  subroutine check_initial(settings, particles, error)
    !> The settings of the run
    type(merger_settings_t), intent(in) :: settings
    !> The initial state
    type(particles_t), intent(in) :: particles
    !> Allocated if the state is refused
    type(error_t), allocatable, intent(out) :: error

    if (any(particles%types == type_gas)) then
      error = file_error(settings%initial, 'holds '//text(count(particles%types == type_gas))// &
                         ' gas particles (type 0): merger evolves stars and dark matter only')
    else if (size(particles%masses) > 1 .and. settings%softening <= 0 .and. &
             all(maxval(particles%positions, 2) <= minval(particles%positions, 2))) then
      error = file_error(settings%initial, 'all particles lie at one point and softening = 0: give softening > 0')
    end if
  end subroutine check_initial

  !> Evolve, writing snapshots and the log.
  subroutine run(settings, particles, state, error)
    !> The settings of the run
    type(merger_settings_t), intent(in) :: settings
    !> The particles as they are written; positions, velocities and time follow the state
    type(particles_t), intent(inout) :: particles
    !> The particles as they move
    type(leapfrog_t), intent(inout) :: state
    !> Allocated if a file cannot be written or forces are not finite
    type(error_t), allocatable, intent(out) :: error
    type(energy_log_t) :: log
    type(progress_t) :: progress
    real(dp) :: begin
    integer :: step, steps, steps_per_row

    steps = settings%steps_per_snapshot*settings%snapshots
    steps_per_row = max(1, settings%steps_per_snapshot/4)
    begin = state%time
    progress = start_progress('merger', steps)
    call open_energy_log(settings%output//'/energy.csv', log, error)
    if (.not. allocated(error)) call log_energy(log, state, error)
    if (.not. allocated(error)) call write_snapshot(settings, 0, particles, state, error)
    do step = 1, steps
      if (allocated(error)) return
      call advance(state, settings%time_step, error)
      if (allocated(error)) error = plain_error('step '//text(step)//' of '//text(steps)//': '//error%message)
      if (allocated(error)) return
      state%time = begin + step*settings%time_step
      if (mod(step, settings%steps_per_snapshot) == 0) then
        call write_snapshot(settings, step/settings%steps_per_snapshot, particles, state, error)
        if (.not. allocated(error)) call log_energy(log, state, error)
      else if (mod(mod(step, settings%steps_per_snapshot), steps_per_row) == 0) then
        call log_energy(log, state, error)
      end if
      call report_progress(progress, step)
    end do
    if (.not. allocated(error)) call close_energy_log(log, error)
    if (.not. allocated(error)) call print_summary(steps, size(state%masses), seconds() - progress%started, log%largest_error)
  end subroutine run

  subroutine write_snapshot(settings, number, particles, state, error)
    !> The settings of the run
    type(merger_settings_t), intent(in) :: settings
    !> Number of the snapshot, from 0
    integer, intent(in) :: number
    !> The particles; they take over the state's positions, velocities and time
    type(particles_t), intent(inout) :: particles
    !> The particles as they move
    type(leapfrog_t), intent(in) :: state
    !> Allocated if the file cannot be written
    type(error_t), allocatable, intent(out) :: error
    character(len=16) :: name

    particles%time = state%time
    particles%positions = state%positions
    particles%velocities = state%velocities
    write (name, '("snapshot_", i3.3, ".dat")') number
    call write_gadget(settings%output//'/'//name, particles, error)
  end subroutine write_snapshot

  subroutine print_summary(steps, particles, wall, largest_error)
    !> Steps done
    integer, intent(in) :: steps
    !> Number of particles
    integer, intent(in) :: particles
    !> Wall-clock time [s]
    real(dp), intent(in) :: wall
    !> Largest relative error of the energy
    real(dp), intent(in) :: largest_error

    write (output_unit, '(a, es9.2, a, es9.2)') 'merger: '//text(steps)//' steps of '//text(particles)//' particles in '// &
      text(wall)//' s,', real(particles, dp)**2*steps/max(wall, 1.0e-9_dp), ' pairs/s, largest |dE/E|', largest_error
  end subroutine print_summary
end program merger
