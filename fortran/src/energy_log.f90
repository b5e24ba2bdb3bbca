!> The log of a run: energies, momentum, angular momentum and centre of mass as a CSV file, and how far those that
!> are conserved have drifted.
!>
!> Drifts are measured in units of the system itself, from its first row: the energy in its own; the momentum as a
!> velocity of the whole in units of sqrt(|W|/M), the rms speed that virial equilibrium would have; the centre of
!> mass, against its straight line, in units of the gravitational radius G M^2/|W| (Binney & Tremaine 2008, eq. 2.42).
module galclass_energy_log
  use galclass_kinds, only: dp, i8
  use galclass_errors, only: error_t, file_error
  use galclass_files, only: file_length, finish_file
  use galclass_units, only: gravitational_constant
  use galclass_leapfrog, only: leapfrog_t
  use galclass_diagnostics, only: kinetic_energy, potential_energy, momentum, angular_momentum, centre_of_mass
  implicit none
  private
  public :: energy_log_t, columns, open_energy_log, log_energy, close_energy_log, largest_drifts

  !> Numbers in a row.
  integer, parameter :: columns = 16
  !> Where in a row they stand; vectors by their first number.
  integer, parameter :: at_time = 1, at_kinetic = 2, at_potential = 3, at_energy = 4, at_momentum = 5, at_spin = 8, &
                        at_centre = 11, at_drifts = 14
  character(len=*), parameter :: header = '# time [kpc/(km/s)]; energies [1e10 Msun (km/s)^2]; momentum '// &
    '[1e10 Msun km/s]; angular momentum about the origin [1e10 Msun kpc km/s]; centre of mass [kpc]; drifts since '// &
    'the first row: of the energy over itself, of the momentum over M sqrt(|W|/M), of the centre over G M^2/|W|'
  character(len=*), parameter :: names = 'time,kinetic,potential,energy,px,py,pz,lx,ly,lz,x,y,z,'// &
    'energy_drift,momentum_drift,centre_drift'
  !> Characters of a number.
  integer, parameter :: width = 23

  type :: energy_log_t
    !> Path the finished log shall have; it grows under this name with .partial behind it
    character(len=:), allocatable :: file
    !> Its unit
    integer :: unit = -1
    !> Rows so far, shape (columns, most rows there can be); all that a checkpoint must hold of the log
    real(dp), allocatable :: rows(:, :)
    !> How many there are
    integer :: count = 0
  end type energy_log_t

contains

  !> Start the file of a log with its units, the names of its columns and the rows there are already.
  subroutine open_energy_log(file, log, error)
    !> Path of the finished log
    character(len=*), intent(in) :: file
    !> The log; its rows are allocated
    type(energy_log_t), intent(inout) :: log
    !> Allocated if the file cannot be written
    type(error_t), allocatable, intent(out) :: error
    integer :: iostat, row

    log%file = file
    open (newunit=log%unit, file=file//'.partial', access='stream', form='formatted', status='replace', &
          action='write', iostat=iostat)
    if (iostat /= 0) then
      error = file_error(file, 'cannot be written: check its folder and permissions')
      return
    end if
    write (log%unit, '(a)', iostat=iostat) header, names
    do row = 1, log%count
      call write_row(log, row)
    end do
    call check_written(log, error)
  end subroutine open_energy_log

  !> Add a row.
  subroutine log_energy(log, state, error)
    !> The log
    type(energy_log_t), intent(inout) :: log
    !> The particles
    type(leapfrog_t), intent(in) :: state
    !> Allocated if the row cannot be written
    type(error_t), allocatable, intent(out) :: error

    log%count = log%count + 1
    associate (row => log%rows(:, log%count))
      row(at_time) = state%time
      row(at_kinetic) = kinetic_energy(state%velocities, state%masses)
      row(at_potential) = potential_energy(state%potentials, state%masses)
      row(at_energy) = row(at_kinetic) + row(at_potential)
      row(at_momentum:at_momentum + 2) = momentum(state%velocities, state%masses)
      row(at_spin:at_spin + 2) = angular_momentum(state%positions, state%velocities, state%masses)
      row(at_centre:at_centre + 2) = centre_of_mass(state%positions, state%masses)
      row(at_drifts:) = drifts(log%rows(:, 1), row, sum(state%masses))
    end associate
    call write_row(log, log%count)
    call check_written(log, error)
  end subroutine log_energy

  !> How far energy, momentum and centre of mass have drifted, in units of the system.
  pure function drifts(first, row, mass) result(drift)
    !> The first row
    real(dp), intent(in) :: first(columns)
    !> This row
    real(dp), intent(in) :: row(columns)
    !> Mass of the system [1e10 Msun]
    real(dp), intent(in) :: mass
    real(dp) :: drift(3), path(3), well

    ! A lone particle has no potential, and nothing of it can drift.
    well = max(abs(first(at_potential)), tiny(mass))
    path = first(at_centre:at_centre + 2) + first(at_momentum:at_momentum + 2)/mass*(row(at_time) - first(at_time))
    drift(1) = abs(row(at_energy) - first(at_energy))/max(abs(first(at_energy)), tiny(mass))
    drift(2) = norm2(row(at_momentum:at_momentum + 2) - first(at_momentum:at_momentum + 2))/sqrt(mass*well)
    drift(3) = norm2(row(at_centre:at_centre + 2) - path)*well/(gravitational_constant*mass**2)
  end function drifts

  !> The largest drifts so far: of energy, momentum and centre of mass.
  pure function largest_drifts(log) result(drift)
    !> The log, with a row at least
    type(energy_log_t), intent(in) :: log
    real(dp) :: drift(3)

    drift = maxval(log%rows(at_drifts:, :log%count), 2)
  end function largest_drifts

  subroutine write_row(log, row)
    !> The log
    type(energy_log_t), intent(in) :: log
    !> Number of the row
    integer, intent(in) :: row
    integer :: iostat

    ! Whether it went well is seen from the length of the file, which knows more than the library.
    write (log%unit, '(*(es23.15e3, :, ","))', iostat=iostat) log%rows(:, row)
  end subroutine write_row

  !> Whether all rows are in the file.
  subroutine check_written(log, error)
    !> The log
    type(energy_log_t), intent(in) :: log
    !> Allocated if the file is shorter than it should be
    type(error_t), allocatable, intent(out) :: error
    integer :: iostat

    flush (log%unit, iostat=iostat)
    if (file_length(log%file//'.partial') /= length(log)) &
      error = file_error(log%file, 'a row cannot be written: check the space left')
  end subroutine check_written

  !> How long the file must be [bytes].
  pure function length(log) result(bytes)
    !> The log
    type(energy_log_t), intent(in) :: log
    integer(i8) :: bytes

    bytes = len(header) + len(names) + 2 + int(log%count, i8)*columns*(width + 1)
  end function length

  !> Finish the log and give it its name.
  subroutine close_energy_log(log, error)
    !> The log
    type(energy_log_t), intent(in) :: log
    !> Allocated if the file is not whole or cannot be renamed
    type(error_t), allocatable, intent(out) :: error

    call finish_file(log%unit, log%file//'.partial', log%file, .false., length(log), error)
  end subroutine close_energy_log
end module galclass_energy_log
