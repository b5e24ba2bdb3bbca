!> Checks that all namelist settings share: what is missing, what is out of range.
!>
!> A namelist has no notion of a missing value: settings start as sentinels that no user writes.
module galclass_namelists
  use galclass_kinds, only: dp
  use galclass_errors, only: error_t, file_error, value_error, text
  implicit none
  private
  public :: missing_real, missing_integer, missing_text, text_length, open_namelist, reading_error, &
            check_real, check_integer, check_text

  real(dp), parameter :: missing_real = -huge(1.0_dp)
  integer, parameter :: missing_integer = -huge(1)
  character(len=*), parameter :: missing_text = ''
  !> Longest text a setting may be [characters].
  integer, parameter :: text_length = 4096

contains

  subroutine open_namelist(file, unit, error)
    !> Path of the namelist
    character(len=*), intent(in) :: file
    !> Unit it is opened on
    integer, intent(out) :: unit
    !> Allocated if it cannot be read
    type(error_t), allocatable, intent(out) :: error
    integer :: iostat

    open (newunit=unit, file=file, status='old', action='read', iostat=iostat)
    if (iostat /= 0) error = file_error(file, 'no such file, or it cannot be read')
  end subroutine open_namelist

  !> What is wrong with a namelist that the compiler's library could not read.
  pure function reading_error(file, group, iostat, iomsg) result(error)
    !> Path of the namelist
    character(len=*), intent(in) :: file
    !> Name of the group
    character(len=*), intent(in) :: group
    !> Status of the read statement, not zero
    integer, intent(in) :: iostat
    !> Its message
    character(len=*), intent(in) :: iomsg
    type(error_t) :: error

    if (is_iostat_end(iostat)) then
      error = file_error(file, 'has no complete namelist &'//group//' ... /')
    else
      error = file_error(file, '&'//group//': unknown or malformed setting ('//trim(iomsg)//')')
    end if
  end function reading_error

  !> Refuse a number that is missing or outside (lowest, highest), or on a bound that is not allowed.
  pure subroutine check_real(file, key, value, lowest, highest, open_below, error)
    !> Path of the namelist
    character(len=*), intent(in) :: file
    !> Name of the setting
    character(len=*), intent(in) :: key
    !> Its value
    real(dp), intent(in) :: value
    !> Smallest value allowed
    real(dp), intent(in) :: lowest
    !> Largest value allowed
    real(dp), intent(in) :: highest
    !> Whether the smallest value itself is refused
    logical, intent(in) :: open_below
    !> Left alone if already allocated, so that the first error stands
    type(error_t), allocatable, intent(inout) :: error
    character(len=:), allocatable :: found

    if (allocated(error)) return
    if (value >= lowest .and. value <= highest .and. .not. (open_below .and. value <= lowest)) return
    found = text(value)
    if (value <= missing_real) found = missing_text
    if (highest >= huge(highest)) then
      error = value_error(file, key, found, 'a number '//trim(merge('> ', '>=', open_below))//' '//text(lowest))
    else
      error = value_error(file, key, found, 'a number '//trim(merge('> ', '>=', open_below))//' '//text(lowest)// &
                          ' and <= '//text(highest))
    end if
  end subroutine check_real

  !> Refuse an integer that is missing or outside its range.
  pure subroutine check_integer(file, key, value, lowest, highest, error)
    !> Path of the namelist
    character(len=*), intent(in) :: file
    !> Name of the setting
    character(len=*), intent(in) :: key
    !> Its value
    integer, intent(in) :: value
    !> Smallest and largest value allowed
    integer, intent(in) :: lowest, highest
    !> Left alone if already allocated, so that the first error stands
    type(error_t), allocatable, intent(inout) :: error
    character(len=:), allocatable :: found

    if (allocated(error)) return
    if (value >= lowest .and. value <= highest) return
    found = text(value)
    if (value == missing_integer) found = missing_text
    error = value_error(file, key, found, 'a whole number from '//text(lowest)//' to '//text(highest))
  end subroutine check_integer

  !> Refuse a text that is missing.
  pure subroutine check_text(file, key, value, allowed, error)
    !> Path of the namelist
    character(len=*), intent(in) :: file
    !> Name of the setting
    character(len=*), intent(in) :: key
    !> Its value
    character(len=*), intent(in) :: value
    !> What is allowed
    character(len=*), intent(in) :: allowed
    !> Left alone if already allocated, so that the first error stands
    type(error_t), allocatable, intent(inout) :: error

    if (allocated(error)) return
    if (value == missing_text) error = value_error(file, key, missing_text, allowed)
  end subroutine check_text
end module galclass_namelists
