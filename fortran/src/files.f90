!> What a program needs from the file system: folders, and a rename that replaces the old file in one step.
module galclass_files
  use, intrinsic :: iso_c_binding, only: c_char, c_int, c_null_char
  use galclass_errors, only: error_t, file_error
  implicit none
  private
  public :: make_folder, make_parent, replace_file

  interface
    function c_rename(from, to) bind(c, name='rename') result(status)
      import :: c_char, c_int
      character(kind=c_char), intent(in) :: from(*), to(*)
      integer(c_int) :: status
    end function c_rename

    function c_mkdir(path, mode) bind(c, name='mkdir') result(status)
      import :: c_char, c_int
      character(kind=c_char), intent(in) :: path(*)
      integer(c_int), value :: mode
      integer(c_int) :: status
    end function c_mkdir
  end interface

contains

  !> Make a folder and those above it; one that exists is left alone.
  subroutine make_folder(folder, error)
    !> Path of the folder
    character(len=*), intent(in) :: folder
    !> Allocated if the folder does not exist afterwards
    type(error_t), allocatable, intent(out) :: error
    integer(c_int), parameter :: everybody = int(o'777', c_int)
    integer(c_int) :: status
    integer :: i
    logical :: exists

    do i = 2, len_trim(folder)
      if (folder(i:i) == '/') status = c_mkdir(folder(:i - 1)//c_null_char, everybody)
    end do
    status = c_mkdir(trim(folder)//c_null_char, everybody)
    inquire (file=trim(folder)//'/.', exist=exists)
    if (.not. exists) error = file_error(folder, 'cannot make this folder (mkdir failed): check its name and permissions')
  end subroutine make_folder

  !> Make the folder that a file shall lie in.
  subroutine make_parent(file, error)
    !> Path of the file
    character(len=*), intent(in) :: file
    !> Allocated if the folder does not exist afterwards
    type(error_t), allocatable, intent(out) :: error
    integer :: slash

    slash = index(file, '/', back=.true.)
    if (slash > 1) call make_folder(file(:slash - 1), error)
  end subroutine make_parent

  !> Give a finished file its name, replacing an older file of that name.
  subroutine replace_file(from, to, error)
    !> Path of the finished file
    character(len=*), intent(in) :: from
    !> Path it shall have, in the same folder
    character(len=*), intent(in) :: to
    !> Allocated if the file cannot be renamed
    type(error_t), allocatable, intent(out) :: error

    if (c_rename(trim(from)//c_null_char, trim(to)//c_null_char) /= 0) then
      error = file_error(to, 'cannot be written (renaming '//trim(from)//' failed): check permissions and space')
    end if
  end subroutine replace_file
end module galclass_files
