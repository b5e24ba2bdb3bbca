!> The blocks of a GADGET snapshot: Fortran records, in format 2 each preceded by a record with its name
!> (Springel 2005, GADGET-2 users' guide, section 6). Little-endian files only.
module galclass_gadget_blocks
  use, intrinsic :: ieee_arithmetic, only: ieee_is_finite
  use galclass_kinds, only: sp, dp, i4, i8
  use galclass_errors, only: error_t, file_error, text
  implicit none
  private
  public :: block_t, index_blocks, find_block, read_reals, read_identifiers, write_reals, write_integers

  type :: block_t
    !> Name, as in format 2
    character(len=4) :: name = '----'
    !> Byte at which its data start, from 1
    integer(i8) :: start = 0
    !> Length of its data [bytes]
    integer(i8) :: length = 0
  end type block_t

  integer(i4), parameter :: marker_named = 8, marker_header = 256
  !> Particles converted in one go, so that no array is held twice.
  integer, parameter :: chunk = 4096
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

  !> Read numbers of a block in single or double precision and refuse those that are not finite.
  subroutine read_reals(unit, file, blocks, name, total, first, count, values, error)
    !> Unit of the file
    integer, intent(in) :: unit
    !> Its path, for messages
    character(len=*), intent(in) :: file
    !> Its blocks
    type(block_t), intent(in) :: blocks(:)
    !> Name of the block
    character(len=4), intent(in) :: name
    !> How many numbers the block should hold
    integer, intent(in) :: total
    !> The first to read, from 1
    integer, intent(in) :: first
    !> How many to read
    integer, intent(in) :: count
    !> The numbers, in the file's order; an array of another shape is filled in its order in memory
    real(dp), intent(out) :: values(count)
    !> Allocated if the block is missing, has another length, cannot be read or holds a NaN or infinity
    type(error_t), allocatable, intent(out) :: error
    real(sp) :: short(chunk)
    type(block_t) :: found
    integer :: begin, end, iostat

    found = find_block(blocks, name)
    iostat = 0
    if (found%length == 4*int(total, i8)) then
      do begin = 1, count, chunk
        end = min(count, begin + chunk - 1)
        if (iostat == 0) read (unit, pos=found%start + 4*(first + begin - 2_i8), iostat=iostat) short(:end - begin + 1)
        values(begin:end) = short(:end - begin + 1)
      end do
    else if (found%length == 8*int(total, i8)) then
      read (unit, pos=found%start + 8*(first - 1_i8), iostat=iostat) values
    else
      values = 0
      error = length_error(file, found, name, int(total, i8))
      return
    end if
    if (iostat /= 0) error = file_error(file, 'block '//trim(name)//' cannot be read: check the disk')
    if (iostat == 0) call check_finite(file, name, first, values, error)
  end subroutine read_reals

  pure subroutine check_finite(file, name, first, values, error)
    !> Path of the file
    character(len=*), intent(in) :: file
    !> Name of the block
    character(len=4), intent(in) :: name
    !> Place of the first number in its block
    integer, intent(in) :: first
    !> Its numbers
    real(dp), intent(in) :: values(:)
    !> Allocated if one is a NaN or infinity
    type(error_t), allocatable, intent(out) :: error
    integer :: i

    do i = 1, size(values)
      if (ieee_is_finite(values(i))) cycle
      error = file_error(file, 'block '//trim(name)//': number '//text(first + i - 1)//' is '//text(values(i))// &
                         ', allowed are finite numbers')
      return
    end do
  end subroutine check_finite

  !> Read the identifiers, of four or eight bytes, unsigned.
  subroutine read_identifiers(unit, file, blocks, ids, error)
    !> Unit of the file
    integer, intent(in) :: unit
    !> Its path, for messages
    character(len=*), intent(in) :: file
    !> Its blocks
    type(block_t), intent(in) :: blocks(:)
    !> The four bytes of each identifier, shape (n)
    integer(i4), intent(out) :: ids(:)
    !> Allocated if the block is missing, has another length, cannot be read or holds a number that needs more bytes
    type(error_t), allocatable, intent(out) :: error
    integer(i8) :: long(chunk)
    type(block_t) :: found
    integer :: begin, end, iostat

    ids = 0
    iostat = 0
    found = find_block(blocks, 'ID  ')
    if (found%length == 4*size(ids, kind=i8)) then
      read (unit, pos=found%start, iostat=iostat) ids
    else if (found%length == 8*size(ids, kind=i8)) then
      do begin = 1, size(ids), chunk
        end = min(size(ids), begin + chunk - 1)
        if (iostat == 0) read (unit, pos=found%start + 8*(begin - 1_i8), iostat=iostat) long(:end - begin + 1)
        if (any(shiftr(long(:end - begin + 1), 32) /= 0) .and. iostat == 0) then
          error = file_error(file, 'block ID: an identifier does not fit four bytes: allowed are 0 to 4294967295')
          return
        end if
        ids(begin:end) = unsigned(long(:end - begin + 1))
      end do
    else
      error = length_error(file, found, 'ID  ', size(ids, kind=i8))
    end if
    if (iostat /= 0) error = file_error(file, 'block ID cannot be read: check the disk')
  end subroutine read_identifiers

  !> The four bytes of an unsigned number, which Fortran can only hold as a signed one.
  elemental function unsigned(number) result(bytes)
    !> 0 to 2^32 - 1
    integer(i8), intent(in) :: number
    integer(i4) :: bytes

    bytes = int(merge(number - 2_i8**32, number, number >= 2_i8**31), i4)
  end function unsigned

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

  !> Write a block of numbers in single precision, in another order than they stand in memory.
  subroutine write_reals(unit, name, width, count, values, places, iostat)
    !> Unit of a file opened for unformatted stream access
    integer, intent(in) :: unit
    !> Name of the block
    character(len=4), intent(in) :: name
    !> Numbers of each particle
    integer, intent(in) :: width
    !> Number of particles
    integer, intent(in) :: count
    !> Their numbers
    real(dp), intent(in) :: values(width, count)
    !> Where in `values` the particles of the file stand, one after the other
    integer(i4), intent(in) :: places(count)
    !> Not zero if the block could not be written
    integer, intent(out) :: iostat
    real(sp) :: short(width, chunk)
    integer(i4) :: length
    integer :: begin, end

    length = 4*width*count
    write (unit, iostat=iostat) marker_named, name, length + 8, marker_named, length
    do begin = 1, count, chunk
      end = min(count, begin + chunk - 1)
      short(:, :end - begin + 1) = real(values(:, places(begin:end)), sp)
      if (iostat == 0) write (unit, iostat=iostat) short(:, :end - begin + 1)
    end do
    if (iostat == 0) write (unit, iostat=iostat) length
  end subroutine write_reals

  subroutine write_integers(unit, name, values, iostat)
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
  end subroutine write_integers
end module galclass_gadget_blocks
