!> What a program needs from the file system: folders, files that appear whole or not at all, and their removal.
module galclass_files
  use, intrinsic :: iso_c_binding, only: c_associated, c_char, c_int, c_long, c_null_char, c_ptr
  use galclass_kinds, only: i8
  use galclass_errors, only: error_t, file_error, text
  implicit none
  private
  public :: make_folder, make_parent, file_length, finish_file, remove_file

  interface
    function c_rename(from, to) bind(c, name='rename') result(status)
      import :: c_char, c_int
      character(kind=c_char), intent(in) :: from(*), to(*)
      integer(c_int) :: status
    end function c_rename

    function c_remove(path) bind(c, name='remove') result(status)
      import :: c_char, c_int
      character(kind=c_char), intent(in) :: path(*)
      integer(c_int) :: status
    end function c_remove

    function c_mkdir(path, mode) bind(c, name='mkdir') result(status)
      import :: c_char, c_int
      character(kind=c_char), intent(in) :: path(*)
      integer(c_int), value :: mode
      integer(c_int) :: status
    end function c_mkdir

    function c_fopen(path, mode) bind(c, name='fopen') result(stream)
      import :: c_char, c_ptr
      character(kind=c_char), intent(in) :: path(*), mode(*)
      type(c_ptr) :: stream
    end function c_fopen

    function c_fseek(stream, offset, whence) bind(c, name='fseek') result(status)
      import :: c_int, c_long, c_ptr
      type(c_ptr), value :: stream
      integer(c_long), value :: offset
      integer(c_int), value :: whence
      integer(c_int) :: status
    end function c_fseek

    function c_ftell(stream) bind(c, name='ftell') result(place)
      import :: c_long, c_ptr
      type(c_ptr), value :: stream
      integer(c_long) :: place
    end function c_ftell

    function c_fileno(stream) bind(c, name='fileno') result(descriptor)
      import :: c_int, c_ptr
      type(c_ptr), value :: stream
      integer(c_int) :: descriptor
    end function c_fileno

    function c_fsync(descriptor) bind(c, name='fsync') result(status)
      import :: c_int
      integer(c_int), value :: descriptor
      integer(c_int) :: status
    end function c_fsync

    function c_fclose(stream) bind(c, name='fclose') result(status)
      import :: c_int, c_ptr
      type(c_ptr), value :: stream
      integer(c_int) :: status
    end function c_fclose
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

  !> Length of a file on the disk [bytes], -1 if there is none. `inquire` would tell how much was written to a file that
  !> is open, whether or not it arrived.
  function file_length(file) result(bytes)
    !> Path of the file
    character(len=*), intent(in) :: file
    integer(i8) :: bytes
    integer(c_int), parameter :: seek_end = 2
    type(c_ptr) :: stream
    integer(c_int) :: status

    bytes = -1
    stream = c_fopen(file//c_null_char, 'r'//c_null_char)
    if (.not. c_associated(stream)) return
    if (c_fseek(stream, 0_c_long, seek_end) == 0) bytes = c_ftell(stream)
    status = c_fclose(stream)
  end function file_length

  !> Close a file that was written under a temporary name, and rename it once it is whole and on the disk.
  !>
  !> What does not fit the disk is lost without a word when gfortran's library empties its buffer, so the length of the
  !> file is what tells.
  subroutine finish_file(unit, temporary, file, failed, bytes, error)
    !> Its unit; closed afterwards
    integer, intent(in) :: unit
    !> Path it has; removed if it is not whole
    character(len=*), intent(in) :: temporary
    !> Path it shall have, in the same folder; an older file of that name is replaced
    character(len=*), intent(in) :: file
    !> Whether a statement that wrote it reported an error
    logical, intent(in) :: failed
    !> Length it must have [bytes]
    integer(i8), intent(in) :: bytes
    !> Allocated if the file is not there and whole under its name
    type(error_t), allocatable, intent(out) :: error
    integer(i8) :: found
    integer :: iostat
    logical :: whole

    close (unit, iostat=iostat)
    found = file_length(temporary)
    call sync(temporary, 'r+', whole)
    if (failed .or. iostat /= 0 .or. found /= bytes .or. .not. whole) then
      error = file_error(file, 'cannot be written whole ('//text(max(found, 0_i8))//' of '//text(bytes)// &
                         ' bytes): check the space left')
      call remove_file(temporary)
    else if (c_rename(temporary//c_null_char, file//c_null_char) /= 0) then
      error = file_error(file, 'cannot be written (renaming '//temporary//' failed): check permissions')
    else
      ! The name, too, must survive a power cut. Where folders cannot be synced, nothing more can be done.
      call sync(file(:index(file, '/', back=.true.))//'.', 'r', whole)
    end if
  end subroutine finish_file

  !> Remove a file if there is one.
  subroutine remove_file(file)
    !> Path of the file
    character(len=*), intent(in) :: file
    integer(c_int) :: status

    status = c_remove(file//c_null_char)
  end subroutine remove_file

  !> Wait until everything written to a file is on the disk; it goes by file, whoever wrote it.
  subroutine sync(file, mode, done)
    !> Path of the file or folder
    character(len=*), intent(in) :: file
    !> How to open it: 'r' or 'r+'
    character(len=*), intent(in) :: mode
    !> Whether it is
    logical, intent(out) :: done
    type(c_ptr) :: stream
    integer(c_int) :: status

    stream = c_fopen(file//c_null_char, mode//c_null_char)
    done = c_associated(stream)
    if (.not. done) return
    done = c_fsync(c_fileno(stream)) == 0
    status = c_fclose(stream)
  end subroutine sync
end module galclass_files
