!> The log of a run: time, energies, momentum and angular momentum as a CSV file.
module galclass_energy_log
  use galclass_kinds, only: dp
  use galclass_errors, only: error_t, file_error
  use galclass_files, only: replace_file
  use galclass_leapfrog, only: leapfrog_t
  use galclass_diagnostics, only: kinetic_energy, potential_energy, momentum, angular_momentum
  implicit none
  private
  public :: energy_log_t, open_energy_log, log_energy, close_energy_log

  type :: energy_log_t
    !> Path the finished log shall have; it grows under this name with .partial behind it
    character(len=:), allocatable :: file
    !> Its unit
    integer :: unit = -1
    !> Whether a row was logged
    logical :: begun = .false.
    !> Energy of the first row [1e10 Msun (km/s)^2]
    real(dp) :: first = 0
    !> Largest |E - E_first| / |E_first| so far
    real(dp) :: largest_error = 0
  end type energy_log_t

contains

  !> Start a log with its units and column names.
  subroutine open_energy_log(file, log, error)
    !> Path of the finished log
    character(len=*), intent(in) :: file
    !> The log
    type(energy_log_t), intent(out) :: log
    !> Allocated if the file cannot be written
    type(error_t), allocatable, intent(out) :: error
    integer :: iostat

    log%file = file
    open (newunit=log%unit, file=file//'.partial', status='replace', action='write', iostat=iostat)
    if (iostat /= 0) then
      error = file_error(file, 'cannot be written: check its folder, permissions and space')
      return
    end if
    write (log%unit, '(a)') '# time [kpc/(km/s)]; energies [1e10 Msun (km/s)^2]; momentum [1e10 Msun km/s]; '// &
      'angular momentum about the origin [1e10 Msun kpc km/s]'
    write (log%unit, '(a)') 'time,kinetic,potential,energy,px,py,pz,lx,ly,lz'
  end subroutine open_energy_log

  !> Add a row.
  subroutine log_energy(log, state, error)
    !> The log
    type(energy_log_t), intent(inout) :: log
    !> The particles
    type(leapfrog_t), intent(in) :: state
    !> Allocated if the row cannot be written
    type(error_t), allocatable, intent(out) :: error
    real(dp) :: kinetic, potential
    integer :: iostat

    kinetic = kinetic_energy(state%velocities, state%masses)
    potential = potential_energy(state%potentials, state%masses)
    if (.not. log%begun) log%first = kinetic + potential
    log%begun = .true.
    log%largest_error = max(log%largest_error, &
                            abs(kinetic + potential - log%first)/max(abs(log%first), tiny(log%first)))
    write (log%unit, '(*(es23.15e3, :, ","))', iostat=iostat) state%time, kinetic, potential, kinetic + potential, &
      momentum(state%velocities, state%masses), angular_momentum(state%positions, state%velocities, state%masses)
    flush (log%unit)
    if (iostat /= 0) error = file_error(log%file, 'a row cannot be written: check the space left')
  end subroutine log_energy

  !> Finish the log and give it its name.
  subroutine close_energy_log(log, error)
    !> The log
    type(energy_log_t), intent(inout) :: log
    !> Allocated if the file cannot be renamed
    type(error_t), allocatable, intent(out) :: error

    close (log%unit)
    call replace_file(log%file//'.partial', log%file, error)
  end subroutine close_energy_log
end module galclass_energy_log
