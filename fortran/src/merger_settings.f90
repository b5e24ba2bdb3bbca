!> Settings of a run of program merger, read from a namelist and checked.
module galclass_merger_settings
  use galclass_kinds, only: dp
  use galclass_errors, only: error_t, value_error
  use galclass_gravity_direct, only: single_precision, double_precision
  use galclass_namelists, only: missing_real, missing_integer, missing_text, text_length, open_namelist, &
                                reading_error, check_real, check_integer, check_text
  implicit none
  private
  public :: merger_settings_t, read_merger_settings

  type :: merger_settings_t
    !> Path of the initial conditions, a GADGET snapshot
    character(len=:), allocatable :: initial
    !> Folder for the snapshots and the energy log
    character(len=:), allocatable :: output
    !> Time step [kpc/(km/s)]
    real(dp) :: time_step = 0
    !> Steps from one snapshot to the next
    integer :: steps_per_snapshot = 0
    !> Snapshots after the first, which is the initial state
    integer :: snapshots = 0
    !> Softening length [kpc]
    real(dp) :: softening = 0
    !> single_precision or double_precision of galclass_gravity_direct
    integer :: precision = single_precision
    !> Number of threads, 0 for all
    integer :: threads = 0
  end type merger_settings_t

contains

  !> Read and check the namelist &merger of a file.
  subroutine read_merger_settings(file, settings, error)
    !> Path of the namelist
    character(len=*), intent(in) :: file
    !> The settings
    type(merger_settings_t), intent(out) :: settings
    !> Allocated if a setting is missing, unknown or out of range
    type(error_t), allocatable, intent(out) :: error
    character(len=text_length) :: initial, output, precision, message
    real(dp) :: time_step, softening
    integer :: steps_per_snapshot, snapshots, threads, unit, iostat
    namelist /merger/ initial, output, time_step, steps_per_snapshot, snapshots, softening, precision, threads

    initial = missing_text; output = missing_text; precision = missing_text
    time_step = missing_real; softening = missing_real
    steps_per_snapshot = missing_integer; snapshots = missing_integer; threads = missing_integer
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
    call check_text(file, 'precision', precision, "'single' or 'double'", error)
    call check_real(file, 'time_step', time_step, 0.0_dp, huge(1.0_dp), .true., error)
    call check_real(file, 'softening', softening, 0.0_dp, huge(1.0_dp), .false., error)
    call check_integer(file, 'steps_per_snapshot', steps_per_snapshot, 1, 1000000, error)
    call check_integer(file, 'snapshots', snapshots, 1, 999, error)
    call check_integer(file, 'threads', threads, 0, 1024, error)
    if (allocated(error)) return
    settings%initial = trim(initial)
    settings%output = trim(output)
    settings%time_step = time_step
    settings%steps_per_snapshot = steps_per_snapshot
    settings%snapshots = snapshots
    settings%softening = softening
    settings%threads = threads
    call read_precision(file, trim(precision), settings%precision, error)
  end subroutine read_merger_settings

  pure subroutine read_precision(file, word, precision, error)
    !> Path of the namelist
    character(len=*), intent(in) :: file
    !> What the user wrote
    character(len=*), intent(in) :: word
    !> single_precision or double_precision
    integer, intent(out) :: precision
    !> Allocated if the word is neither
    type(error_t), allocatable, intent(out) :: error

    precision = single_precision
    select case (word)
    case ('single')
      precision = single_precision
    case ('double')
      precision = double_precision
    case default
      error = value_error(file, 'precision', "'"//word//"'", "'single' or 'double'")
    end select
  end subroutine read_precision
end module galclass_merger_settings
