!> Snapshots in the binary format of GADGET-2 (Springel 2005): formats 1 and 2 are read, 2 is written.
module galclass_gadget
  use, intrinsic :: ieee_arithmetic, only: ieee_is_finite
  use galclass_kinds, only: dp, i4, i8
  use galclass_errors, only: error_t, file_error, text
  use galclass_files, only: finish_file
  use galclass_particles, only: particles_t
  use galclass_gadget_blocks, only: block_t, index_blocks, find_block, read_reals, read_identifiers, &
                                    write_reals, write_integers
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
    integer :: n

    call index_blocks(unit, file, blocks, error)
    if (.not. allocated(error)) call read_header(unit, file, blocks, header, error)
    if (allocated(error)) return
    n = sum(header%numbers)
    particles%time = header%time
    particles%numbers = header%numbers
    allocate (particles%positions(3, n), particles%velocities(3, n), particles%masses(n), particles%ids(n))
    call read_reals(unit, file, blocks, 'POS ', 3*n, 1, 3*n, particles%positions, error)
    if (.not. allocated(error)) call read_reals(unit, file, blocks, 'VEL ', 3*n, 1, 3*n, particles%velocities, error)
    if (.not. allocated(error)) call read_identifiers(unit, file, blocks, particles%ids, error)
    if (.not. allocated(error)) call read_masses(unit, file, blocks, header, particles%masses, error)
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
  subroutine read_masses(unit, file, blocks, header, masses, error)
    !> Unit of the file
    integer, intent(in) :: unit
    !> Its path, for messages
    character(len=*), intent(in) :: file
    !> Its blocks
    type(block_t), intent(in) :: blocks(:)
    !> Its header
    type(header_t), intent(in) :: header
    !> The masses [1e10 Msun], shape (n)
    real(dp), intent(out) :: masses(:)
    !> Allocated if block MASS is missing or wrong, or a mass is not positive
    type(error_t), allocatable, intent(out) :: error
    integer :: kind, place, listed, number, i

    place = 0
    listed = 0
    do kind = 1, 6
      number = header%numbers(kind)
      associate (some => masses(place + 1:place + number))
        some = header%masses(kind)
        if (number > 0 .and. .not. header%masses(kind) > 0) then
          call read_reals(unit, file, blocks, 'MASS', sum(header%numbers, mask=.not. header%masses > 0), &
                          listed + 1, number, some, error)
          if (allocated(error)) return
          listed = listed + number
        end if
      end associate
      place = place + number
    end do
    do i = 1, size(masses)
      if (masses(i) > 0) cycle
      error = file_error(file, 'particle '//text(i)//' has the mass '//text(masses(i))//', allowed is > 0')
      return
    end do
  end subroutine read_masses

  !> Write a snapshot under a temporary name and rename it.
  subroutine write_gadget(file, time, particles, positions, velocities, masses, places, error)
    !> Path of the snapshot
    character(len=*), intent(in) :: file
    !> Time [kpc/(km/s)]
    real(dp), intent(in) :: time
    !> Identifiers and types of the particles
    type(particles_t), intent(in) :: particles
    !> Positions [kpc], shape (3, n), in an order of their own
    real(dp), intent(in) :: positions(:, :)
    !> Velocities [km/s], shape (3, n), in the same order
    real(dp), intent(in) :: velocities(:, :)
    !> Masses [1e10 Msun], shape (n), in the same order
    real(dp), intent(in) :: masses(:)
    !> Where in that order each of the particles stands, shape (n)
    integer(i4), intent(in) :: places(:)
    !> Allocated if the file cannot be written
    type(error_t), allocatable, intent(out) :: error
    character(len=:), allocatable :: temporary
    integer :: unit, iostat, n, status(5)

    n = size(masses)
    temporary = file//'.partial'
    open (newunit=unit, file=temporary, access='stream', form='unformatted', status='replace', action='write', &
          iostat=iostat)
    if (iostat /= 0) then
      error = file_error(file, 'cannot be written: check its folder and permissions')
      return
    end if
    call write_integers(unit, 'HEAD', header_words(time, particles%numbers), status(1))
    call write_reals(unit, 'POS ', 3, n, positions, places, status(2))
    call write_reals(unit, 'VEL ', 3, n, velocities, places, status(3))
    call write_integers(unit, 'ID  ', particles%ids, status(4))
    call write_reals(unit, 'MASS', 1, n, masses, places, status(5))
    ! Five blocks of 24 bytes and their data.
    call finish_file(unit, temporary, file, any(status /= 0), 5*24 + 256 + 32_i8*n, error)
  end subroutine write_gadget

  !> The 256 bytes of the header: all masses stand in block MASS, one file, no cosmology.
  pure function header_words(time, numbers) result(words)
    !> Time [kpc/(km/s)]
    real(dp), intent(in) :: time
    !> How many particles there are of types 0 to 5
    integer(i4), intent(in) :: numbers(6)
    integer(i4) :: words(64)

    words = 0
    words(1:6) = numbers
    words(19:20) = transfer(time, words(19:20))
    words(25:30) = numbers
    words(32) = 1
    words(39:40) = transfer(1.0_dp, words(39:40))
  end function header_words
end module galclass_gadget
