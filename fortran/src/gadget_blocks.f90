!> The blocks of a GADGET snapshot: Fortran records, in format 2 each preceded by a record with its name
!> (Springel 2005, GADGET-2 users' guide, section 6). Little-endian files only.
module galclass_gadget_blocks
  use, intrinsic :: ieee_arithmetic, only: ieee_is_finite
  use galclass_kinds, only: sp, dp, i4, i8
  use galclass_errors, only: error_t, file_error, text
  implicit none
  private
  public :: block_t, index_blocks, find_block, read_reals, read_identifiers, write_block

  type :: block_t
    !> Name, as in format 2
    character(len=4) :: name = '----'
    !> Byte at which its data start, from 1
    integer(i8) :: start = 0
    !> Length of its data [bytes]
    integer(i8) :: length = 0
  end type block_t

  !> Write a named block of format 2.
  interface write_block
    module procedure write_real_block, write_integer_block
  end interface write_block

  integer(i4), parameter :: marker_named = 8, marker_header = 256
  !> Blocks of format 1 have no names: these come in this order, MASS only if a mass is not in the header.
  character(len=4), parameter :: unnamed(5) = ['HEAD', 'POS ', 'VEL ', 'ID  ', 'MASS']

contains

  !> List the blocks of an open file and check that their markers agree with each other and with its length.
  subroutine index_blocks(unit, file, blocks, error)
    !> Unit of the file, opened for unformatted stream access
    integer, intent(in) :: unit
    !> Its path, for messages
    character(len=*), intent(in) :: file
    !> The blocks in the file's order
    type(block_t), allocatable, intent(out) :: blocks(:)
    !> Allocated if this is not a whole little-endian snapshot
    type(error_t), allocatable, intent(out) :: error
    type(block_t) :: found
    integer(i8) :: place, size
    logical :: named
    character(len=8) :: label

    allocate (blocks(0))
    inquire (unit=unit, size=size)
    call check_first_marker(unit, file, size, named, error)
    place = 1
    do while (.not. allocated(error) .and. place <= size)
      label = '----'
      if (named) then
        call read_record(unit, file, size, place, found, error)
        if (allocated(error)) return
        if (found%length /= 8) then
          error = file_error(file, 'the name of block '//text(size_of(blocks) + 1)//' has '//text(found%length)// &
                             ' bytes, expected are 8: not a GADGET snapshot of format 2')
          return
        end if
        read (unit, pos=found%start) label
      else if (size_of(blocks) < 5) then
        label = unnamed(size_of(blocks) + 1)
      end if
      call read_record(unit, file, size, place, found, error)
      if (allocated(error)) return
      found%name = label(1:4)
      blocks = [blocks, found]
    end do
  end subroutine index_blocks

  pure function size_of(blocks) result(number)
    !> Blocks found so far
    type(block_t), intent(in) :: blocks(:)
    integer :: number

    number = size(blocks)
  end function size_of

  subroutine check_first_marker(unit, file, size, named, error)
    !> Unit of the file
    integer, intent(in) :: unit
    !> Its path, for messages
    character(len=*), intent(in) :: file
    !> Its length [bytes]
    integer(i8), intent(in) :: size
    !> Whether blocks have names (format 2)
    logical, intent(out) :: named
    !> Allocated if this is not a little-endian snapshot
    type(error_t), allocatable, intent(out) :: error
    integer(i4) :: marker

    named = .false.
    if (size < 264) then
      error = file_error(file, 'has '//text(size)//' bytes, a GADGET snapshot has 264 and more')
      return
    end if
    read (unit, pos=1) marker
    select case (marker)
    case (marker_named)
      named = .true.
    case (marker_header)
      named = .false.
    case (ishft(marker_named, 24), ishft(marker_header, 8))
      error = file_error(file, 'is a big-endian GADGET snapshot: only little-endian ones are read here')
    case default
      error = file_error(file, 'starts with marker '//text(marker)//', expected is 8 or 256: not a GADGET snapshot')
    end select
  end subroutine check_first_marker

  !> Find the record that starts at a byte, and move on to the next one.
  subroutine read_record(unit, file, size, place, record, error)
    !> Unit of the file
    integer, intent(in) :: unit
    !> Its path, for messages
    character(len=*), intent(in) :: file
    !> Its length [bytes]
    integer(i8), intent(in) :: size
    !> Byte at which the record starts; afterwards the byte behind it
    integer(i8), intent(inout) :: place
    !> Where its data are
    type(block_t), intent(out) :: record
    !> Allocated if the file is too short or the markers differ
    type(error_t), allocatable, intent(out) :: error
    integer(i4) :: before, after

    before = 0
    if (place + 3 <= size) read (unit, pos=place) before
    record%start = place + 4
    record%length = iand(int(before, i8), int(z'FFFFFFFF', i8))
    if (record%start + record%length + 3 > size) then
      error = file_error(file, 'is truncated: the record at byte '//text(place)//' has '//text(record%length)// &
                         ' bytes, the file ends at byte '//text(size))
      return
    end if
    read (unit, pos=record%start + record%length) after
    place = record%start + record%length + 4
    if (before /= after) then
      error = file_error(file, 'the record at byte '//text(record%start - 4)//' has the marker '//text(before)// &
                         ' before and '//text(after)//' behind it: not a GADGET snapshot, or damaged')
    end if
  end subroutine read_record

  !> The block of a name, or one of length -1 if there is none.
  pure function find_block(blocks, name) result(found)
    !> Blocks of a file
    type(block_t), intent(in) :: blocks(:)
    !> Name of the block
    character(len=4), intent(in) :: name
    type(block_t) :: found
    integer :: i

    found%length = -1
    do i = size(blocks), 1, -1
      if (blocks(i)%name == name) found = blocks(i)
    end do
  end function find_block

  !> Read a block of numbers in single or double precision and refuse those that are not finite.
  subroutine read_reals(unit, file, blocks, name, values, error)
    !> Unit of the file
    integer, intent(in) :: unit
    !> Its path, for messages
    character(len=*), intent(in) :: file
    !> Its blocks
    type(block_t), intent(in) :: blocks(:)
    !> Name of the block
    character(len=4), intent(in) :: name
    !> The numbers, in the file's order
    real(dp), intent(out) :: values(:)
    !> Allocated if the block is missing, has another length or holds a NaN or infinity
    type(error_t), allocatable, intent(out) :: error
    real(sp), allocatable :: short(:)
    type(block_t) :: found
    integer :: i

    values = 0
    found = find_block(blocks, name)
    if (found%length == 4*size(values, kind=i8)) then
      allocate (short(size(values)))
      read (unit, pos=found%start) short
      values = real(short, dp)
    else if (found%length == 8*size(values, kind=i8)) then
      read (unit, pos=found%start) values
    else
      error = length_error(file, found, name, size(values, kind=i8))
      return
    end if
    do i = 1, size(values)
      if (ieee_is_finite(values(i))) cycle
      error = file_error(file, 'block '//trim(name)//': number '//text(i)//' is '//text(values(i))// &
                         ', allowed are finite numbers')
      return
    end do
  end subroutine read_reals

  !> Read the identifiers, of four or eight bytes, unsigned.
  subroutine read_identifiers(unit, file, blocks, ids, error)
    !> Unit of the file
    integer, intent(in) :: unit
    !> Its path, for messages
    character(len=*), intent(in) :: file
    !> Its blocks
    type(block_t), intent(in) :: blocks(:)
    !> The identifiers, shape (n)
    integer(i8), intent(out) :: ids(:)
    !> Allocated if the block is missing or has another length
    type(error_t), allocatable, intent(out) :: error
    integer(i4), allocatable :: short(:)
    type(block_t) :: found

    ids = 0
    found = find_block(blocks, 'ID  ')
    if (found%length == 4*size(ids, kind=i8)) then
      allocate (short(size(ids)))
      read (unit, pos=found%start) short
      ids = iand(int(short, i8), int(z'FFFFFFFF', i8))
    else if (found%length == 8*size(ids, kind=i8)) then
      read (unit, pos=found%start) ids
    else
      error = length_error(file, found, 'ID  ', size(ids, kind=i8))
    end if
  end subroutine read_identifiers

  pure function length_error(file, found, name, numbers) result(error)
    !> Path of the file
    character(len=*), intent(in) :: file
    !> The block found; its length is -1 if there is none
    type(block_t), intent(in) :: found
    !> Name of the block wanted
    character(len=4), intent(in) :: name
    !> How many numbers it should hold
    integer(i8), intent(in) :: numbers
    type(error_t) :: error

    if (found%length < 0) then
      error = file_error(file, 'has no block '//trim(name))
    else
      error = file_error(file, 'block '//trim(name)//' has '//text(found%length)//' bytes, expected are '// &
                         text(4*numbers)//' or '//text(8*numbers))
    end if
  end function length_error

  subroutine write_real_block(unit, name, values, iostat)
    !> Unit of a file opened for unformatted stream access
    integer, intent(in) :: unit
    !> Name of the block
    character(len=4), intent(in) :: name
    !> Its numbers
    real(sp), intent(in) :: values(:)
    !> Not zero if the block could not be written
    integer, intent(out) :: iostat
    integer(i4) :: length

    length = 4*size(values)
    write (unit, iostat=iostat) marker_named, name, length + 8, marker_named, length, values, length
  end subroutine write_real_block

  subroutine write_integer_block(unit, name, values, iostat)
    !> Unit of a file opened for unformatted stream access
    integer, intent(in) :: unit
    !> Name of the block
    character(len=4), intent(in) :: name
    !> Its numbers
    integer(i4), intent(in) :: values(:)
    !> Not zero if the block could not be written
    integer, intent(out) :: iostat
    integer(i4) :: length

    length = 4*size(values)
    write (unit, iostat=iostat) marker_named, name, length + 8, marker_named, length, values, length
  end subroutine write_integer_block
end module galclass_gadget_blocks
