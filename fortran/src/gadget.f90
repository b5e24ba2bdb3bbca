!> Snapshots in the binary format of GADGET-2 (Springel 2005): formats 1 and 2 are read, 2 is written.
module galclass_gadget
  use, intrinsic :: ieee_arithmetic, only: ieee_is_finite
  use galclass_kinds, only: sp, dp, i4, i8
  use galclass_errors, only: error_t, file_error, text
  use galclass_files, only: replace_file
  use galclass_particles, only: particles_t
  use galclass_gadget_blocks, only: block_t, index_blocks, find_block, read_reals, read_identifiers, write_block
  implicit none
  private
  public :: read_gadget, write_gadget

  !> More particles than this do not fit the four-byte length of a block.
  integer, parameter :: most_particles = 170000000

  !> The fields of the 256-byte header that we use.
  type :: header_t
    !> Number of particles of types 0 to 5
    integer(i4) :: numbers(6) = 0
    !> Mass of a particle of each type [1e10 Msun]; 0 if the masses are in block MASS
    real(dp) :: masses(6) = 0
    !> Time [kpc/(km/s)]
    real(dp) :: time = 0
    !> Files over which the snapshot is spread
    integer(i4) :: files = 1
  end type header_t

contains

  !> Read a snapshot.
  subroutine read_gadget(file, particles, error)
    !> Path of the snapshot
    character(len=*), intent(in) :: file
    !> Its particles, in the file's order
    type(particles_t), intent(out) :: particles
    !> Allocated if the file cannot be read as a whole
    type(error_t), allocatable, intent(out) :: error
    integer :: unit, iostat

    open (newunit=unit, file=file, access='stream', form='unformatted', status='old', action='read', iostat=iostat)
    if (iostat /= 0) then
      error = file_error(file, 'no such file, or it cannot be read')
      return
    end if
    call read_open_gadget(unit, file, particles, error)
    close (unit)
  end subroutine read_gadget

  subroutine read_open_gadget(unit, file, particles, error)
    !> Unit of the file
    integer, intent(in) :: unit
    !> Its path, for messages
    character(len=*), intent(in) :: file
    !> Its particles
    type(particles_t), intent(out) :: particles
    !> Allocated if the file cannot be read as a whole
    type(error_t), allocatable, intent(out) :: error
    type(block_t), allocatable :: blocks(:)
    type(header_t) :: header
    real(dp), allocatable :: flat(:)
    integer :: n, kind

    call index_blocks(unit, file, blocks, error)
    if (.not. allocated(error)) call read_header(unit, file, blocks, header, error)
    if (allocated(error)) return
    n = sum(header%numbers)
    particles%time = header%time
    particles%types = [integer(i4) :: (spread(kind - 1, 1, header%numbers(kind)), kind=1, 6)]
    allocate (flat(3*n), particles%ids(n))
    call read_reals(unit, file, blocks, 'POS ', flat, error)
    if (allocated(error)) return
    particles%positions = reshape(flat, [3, n])
    call read_reals(unit, file, blocks, 'VEL ', flat, error)
    if (allocated(error)) return
    particles%velocities = reshape(flat, [3, n])
    call read_identifiers(unit, file, blocks, particles%ids, error)
    if (allocated(error)) return
    call read_masses(unit, file, blocks, header, particles, error)
  end subroutine read_open_gadget

  subroutine read_header(unit, file, blocks, header, error)
    !> Unit of the file
    integer, intent(in) :: unit
    !> Its path, for messages
    character(len=*), intent(in) :: file
    !> Its blocks
    type(block_t), intent(in) :: blocks(:)
    !> The header
    type(header_t), intent(out) :: header
    !> Allocated if the header makes no sense
    type(error_t), allocatable, intent(out) :: error
    type(block_t) :: found
    real(dp) :: redshift
    integer(i4) :: flags(2), totals(6), cooling

    found = find_block(blocks, 'HEAD')
    if (found%length /= 256) then
      error = file_error(file, 'has no block HEAD of 256 bytes')
      return
    end if
    read (unit, pos=found%start) header%numbers, header%masses, header%time, redshift, flags, totals, cooling, header%files
    if (any(header%numbers < 0) .or. sum(int(header%numbers, i8)) > most_particles) then
      error = file_error(file, 'the header gives a particle number below 0 or above '//text(most_particles))
    else if (sum(header%numbers) == 0) then
      error = file_error(file, 'holds no particles')
    else if (header%files > 1) then
      error = file_error(file, 'is one of '//text(header%files)//' files of a snapshot: only snapshots in one file are read')
    else if (.not. (all(ieee_is_finite(header%masses)) .and. ieee_is_finite(header%time))) then
      error = file_error(file, 'the header holds a mass or a time that is not a number')
    end if
  end subroutine read_header

  !> Masses from the header where it gives them, else from block MASS.
  subroutine read_masses(unit, file, blocks, header, particles, error)
    !> Unit of the file
    integer, intent(in) :: unit
    !> Its path, for messages
    character(len=*), intent(in) :: file
    !> Its blocks
    type(block_t), intent(in) :: blocks(:)
    !> Its header
    type(header_t), intent(in) :: header
    !> The particles; their types are read, their masses set
    type(particles_t), intent(inout) :: particles
    !> Allocated if block MASS is missing or wrong, or a mass is not positive
    type(error_t), allocatable, intent(out) :: error
    real(dp), allocatable :: listed(:)
    integer :: i, next

    particles%masses = header%masses(particles%types + 1)
    allocate (listed(count(.not. particles%masses > 0)))
    if (size(listed) > 0) call read_reals(unit, file, blocks, 'MASS', listed, error)
    if (allocated(error)) return
    next = 0
    do i = 1, size(particles%masses)
      if (.not. particles%masses(i) > 0) then
        next = next + 1
        particles%masses(i) = listed(next)
      end if
      if (particles%masses(i) > 0) cycle
      error = file_error(file, 'particle '//text(i)//' has the mass '//text(particles%masses(i))//', allowed is > 0')
      return
    end do
  end subroutine read_masses

  !> Write a snapshot under a temporary name and rename it.
  subroutine write_gadget(file, particles, error)
    !> Path of the snapshot
    character(len=*), intent(in) :: file
    !> The particles; written sorted by type, in single precision
    type(particles_t), intent(in) :: particles
    !> Allocated if the file cannot be written
    type(error_t), allocatable, intent(out) :: error
    character(len=:), allocatable :: temporary
    integer :: unit, iostat, closed

    if (any(particles%ids < 0 .or. particles%ids > int(z'FFFFFFFF', i8))) then
      error = file_error(file, 'an identifier does not fit four bytes: allowed are 0 to 4294967295')
      return
    end if
    temporary = file//'.partial'
    open (newunit=unit, file=temporary, access='stream', form='unformatted', status='replace', action='write', &
          iostat=iostat)
    if (iostat == 0) then
      call write_blocks(unit, particles, by_type(particles%types), iostat)
      close (unit, iostat=closed)
      iostat = max(abs(iostat), abs(closed))
    end if
    if (iostat /= 0) then
      error = file_error(file, 'cannot be written: check its folder, permissions and space')
      return
    end if
    call replace_file(temporary, file, error)
  end subroutine write_gadget

  subroutine write_blocks(unit, particles, order, iostat)
    !> Unit of the file
    integer, intent(in) :: unit
    !> The particles
    type(particles_t), intent(in) :: particles
    !> Their order in the file, shape (n)
    integer, intent(in) :: order(:)
    !> Not zero if something could not be written
    integer, intent(out) :: iostat
    integer(i4) :: header(64), numbers(6), status(4)
    integer :: kind

    numbers = [(count(particles%types == kind), kind=0, 5)]
    header = 0
    header(1:6) = numbers
    header(19:20) = transfer(particles%time, header(19:20))
    header(25:30) = numbers
    header(32) = 1
    header(39:40) = transfer(1.0_dp, header(39:40))
    call write_block(unit, 'HEAD', header, iostat)
    call write_block(unit, 'POS ', real(pack(particles%positions(:, order), .true.), sp), status(1))
    call write_block(unit, 'VEL ', real(pack(particles%velocities(:, order), .true.), sp), status(2))
    call write_block(unit, 'ID  ', unsigned(particles%ids(order)), status(3))
    call write_block(unit, 'MASS', real(particles%masses(order), sp), status(4))
    iostat = max(abs(iostat), maxval(abs(status)))
  end subroutine write_blocks

  !> The four bytes of an unsigned number, which Fortran can only hold as a signed one.
  elemental function unsigned(id) result(bytes)
    !> Identifier, 0 to 2^32 - 1
    integer(i8), intent(in) :: id
    integer(i4) :: bytes

    bytes = int(merge(id - 2_i8**32, id, id >= 2_i8**31), i4)
  end function unsigned

  !> The order that sorts particles by type and else leaves them alone.
  pure function by_type(types) result(order)
    !> GADGET types, shape (n)
    integer(i4), intent(in) :: types(:)
    integer, allocatable :: order(:)
    integer :: i, kind

    order = [integer :: (pack([(i, i=1, size(types))], types == kind), kind=0, 5)]
  end function by_type
end module galclass_gadget
