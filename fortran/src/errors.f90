!> Errors are values: a procedure that can fail hands back an `error_t`, allocated if it failed.
!> Only programs print and stop.
module galclass_errors
  use galclass_kinds, only: dp, i8
  implicit none
  private
  public :: error_t, plain_error, file_error, value_error, text

  type :: error_t
    !> One line: what was found, what is allowed, what to do.
    character(len=:), allocatable :: message
  end type error_t

  !> A number as text without surrounding blanks.
  interface text
    module procedure integer_text, long_text, real_text
  end interface text

contains

  !> An error that belongs to no file.
  pure function plain_error(found) result(error)
    !> What was found, and what is allowed
    character(len=*), intent(in) :: found
    type(error_t) :: error

    error%message = found
  end function plain_error

  !> An error in a file: "FILE: what was found".
  pure function file_error(file, found) result(error)
    !> Path of the file, as the user gave it
    character(len=*), intent(in) :: file
    !> What was found, and what is allowed
    character(len=*), intent(in) :: found
    type(error_t) :: error

    error%message = trim(file)//': '//found
  end function file_error

  !> A setting that is not allowed: "FILE: key = value: allowed range".
  pure function value_error(file, key, value, allowed) result(error)
    !> Path of the namelist
    character(len=*), intent(in) :: file
    !> Name of the setting
    character(len=*), intent(in) :: key
    !> Its value as text; empty if the setting is missing
    character(len=*), intent(in) :: value
    !> What is allowed
    character(len=*), intent(in) :: allowed
    type(error_t) :: error

    if (len_trim(value) == 0) then
      error%message = trim(file)//': '//key//' is missing: give '//allowed
    else
      error%message = trim(file)//': '//key//' = '//trim(value)//': allowed is '//allowed
    end if
  end function value_error

  pure function integer_text(value) result(written)
    !> Any integer
    integer, intent(in) :: value
    character(len=:), allocatable :: written

    written = long_text(int(value, i8))
  end function integer_text

  pure function long_text(value) result(written)
    !> Any long integer
    integer(i8), intent(in) :: value
    character(len=:), allocatable :: written
    character(len=24) :: buffer

    write (buffer, '(i0)') value
    written = trim(buffer)
  end function long_text

  pure function real_text(value) result(written)
    !> Any real number; six digits are written
    real(dp), intent(in) :: value
    character(len=:), allocatable :: written
    character(len=24) :: buffer

    if ((abs(value) >= 1.0e-3_dp .and. abs(value) < 1.0e6_dp) .or. .not. abs(value) > 0) then
      write (buffer, '(f24.6)') value
      written = trim(adjustl(buffer))
      if (index(written, '.') > 0) written = written(:verify(written, '0', back=.true.))
      if (written(len(written):) == '.') written = written(:len(written) - 1)
    else
      write (buffer, '(es24.5e3)') value
      written = trim(adjustl(buffer))
    end if
  end function real_text
end module galclass_errors
