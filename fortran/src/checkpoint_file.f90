!> One checkpoint: all that a run needs to go on to the same bits, in a file that shows any damage.
!>
!> A row of 8-byte words in the byte order of the machine: magic, version, a word that shows the byte order, length
!> [bytes], step, rows of the log, the state's two counters; what the run is (`run_t`); time; the rows; positions,
!> velocities, accelerations, masses, potentials, origins; checksum of all words before it.
module galclass_checkpoint_file
  use galclass_kinds, only: dp, i4, i8
  use galclass_errors, only: error_t, file_error, text
  use galclass_files, only: finish_file
  use galclass_checksum, only: checksum_t, add_integers, add_reals
  use galclass_leapfrog, only: leapfrog_t
  use galclass_energy_log, only: energy_log_t, columns
  implicit none
  private
  public :: run_t, difference, write_checkpoint_file, check_checkpoint_file, read_checkpoint_file

  !> What decides the result of a run: a checkpoint only continues the run it was made by.
  type :: run_t
    !> Initial conditions (their checksum), particles, steps per snapshot, snapshots, levels, solver
    integer(i8) :: counts(6) = 0
    !> Time step, step accuracy, softening, accuracy
    real(dp) :: sizes(4) = 0
  end type run_t

  character(len=18), parameter :: count_names(6) = [character(len=18) :: 'initial conditions', 'particles', &
                                                    'steps_per_snapshot', 'snapshots', 'levels', 'solver']
  character(len=13), parameter :: size_names(4) = [character(len=13) :: 'time_step', 'step_accuracy', 'softening', &
                                                   'accuracy']
  !> The version is to be raised when the words or their meaning change, the columns of the log among them.
  integer(i8), parameter :: magic = transfer('galclass', 0_i8), version = 1
  integer(i8), parameter :: byte_order = int(z'0102030405060708', i8)
  integer, parameter :: head_words = 8 + 6 + 4 + 1
  !> Words of a particle.
  integer, parameter :: particle_words = 3*3 + 2 + 1
  !> Words that are read or converted in one go, so that no array is held twice.
  integer, parameter :: chunk = 65536

contains

  !> How two runs differ; empty if they do not.
  pure function difference(there, here) result(words)
    !> The run of a checkpoint
    type(run_t), intent(in) :: there
    !> The run at hand
    type(run_t), intent(in) :: here
    character(len=:), allocatable :: words
    integer :: i

    words = ''
    do i = size(here%counts), 1, -1
      if (there%counts(i) == here%counts(i)) cycle
      words = trim(count_names(i))//' '//text(there%counts(i))//', here '//text(here%counts(i))
      if (i == 1) words = 'other initial conditions'
    end do
    do i = 1, size(here%sizes)
      if (transfer(there%sizes(i), 0_i8) == transfer(here%sizes(i), 0_i8) .or. len(words) > 0) cycle
      words = trim(size_names(i))//' '//text(there%sizes(i))//', here '//text(here%sizes(i))
    end do
  end function difference

  !> Write a checkpoint under a temporary name and rename it when it is on the disk.
  subroutine write_checkpoint_file(temporary, file, run, step, state, log, error)
    !> Path under which it is written
    character(len=*), intent(in) :: temporary
    !> Path of the checkpoint; an older one is replaced
    character(len=*), intent(in) :: file
    !> The run
    type(run_t), intent(in) :: run
    !> Steps done
    integer, intent(in) :: step
    !> The particles
    type(leapfrog_t), intent(in) :: state
    !> The log
    type(energy_log_t), intent(in) :: log
    !> Allocated if the file cannot be written
    type(error_t), allocatable, intent(out) :: error
    type(checksum_t) :: sum
    integer(i8) :: head(8), n
    integer :: unit, iostat
    logical :: failed

    open (newunit=unit, file=temporary, access='stream', form='unformatted', status='replace', action='write', &
          iostat=iostat)
    if (iostat /= 0) then
      error = file_error(file, 'cannot be written: check its folder and permissions')
      return
    end if
    n = size(state%masses)
    head = [magic, version, byte_order, length(int(log%count, i8), n), int(step, i8), int(log%count, i8), &
            state%steps, state%steps_too_long]
    failed = .false.
    call put_integers(unit, sum, 8_i8, head, failed)
    call put_integers(unit, sum, 6_i8, run%counts, failed)
    call put_reals(unit, sum, 4_i8, run%sizes, failed)
    call put_reals(unit, sum, 1_i8, [state%time], failed)
    call put_reals(unit, sum, int(columns, i8)*log%count, log%rows, failed)
    call put_reals(unit, sum, 3*n, state%positions, failed)
    call put_reals(unit, sum, 3*n, state%velocities, failed)
    call put_reals(unit, sum, 3*n, state%accelerations, failed)
    call put_reals(unit, sum, n, state%masses, failed)
    call put_reals(unit, sum, n, state%potentials, failed)
    call put_origins(unit, sum, state%origin, failed)
    call put_integers(unit, sum, 1_i8, [sum%bits], failed)
    call finish_file(unit, temporary, file, failed, head(4), error)
  end subroutine write_checkpoint_file

  !> Length of a checkpoint [bytes].
  pure function length(rows, particles) result(bytes)
    !> Rows of the log
    integer(i8), intent(in) :: rows
    !> Number of particles
    integer(i8), intent(in) :: particles
    integer(i8) :: bytes

    bytes = 8*(head_words + columns*rows + particle_words*particles + 1)
  end function length

  subroutine put_integers(unit, sum, count, values, failed)
    !> Unit of the file
    integer, intent(in) :: unit
    !> Checksum, which moves on
    type(checksum_t), intent(inout) :: sum
    !> How many words
    integer(i8), intent(in) :: count
    !> The words
    integer(i8), intent(in) :: values(count)
    !> Set if they cannot be written
    logical, intent(inout) :: failed
    integer :: iostat

    write (unit, iostat=iostat) values
    failed = failed .or. iostat /= 0
    call add_integers(sum, count, values)
  end subroutine put_integers

  subroutine put_reals(unit, sum, count, values, failed)
    !> Unit of the file
    integer, intent(in) :: unit
    !> Checksum, which moves on
    type(checksum_t), intent(inout) :: sum
    !> How many numbers
    integer(i8), intent(in) :: count
    !> The numbers, of any shape
    real(dp), intent(in) :: values(count)
    !> Set if they cannot be written
    logical, intent(inout) :: failed
    integer :: iostat

    write (unit, iostat=iostat) values
    failed = failed .or. iostat /= 0
    call add_reals(sum, count, values)
  end subroutine put_reals

  !> Write origins, a word each.
  subroutine put_origins(unit, sum, origin, failed)
    !> Unit of the file
    integer, intent(in) :: unit
    !> Checksum, which moves on
    type(checksum_t), intent(inout) :: sum
    !> Place of each particle in the input, shape (n)
    integer(i4), intent(in) :: origin(:)
    !> Set if they cannot be written
    logical, intent(inout) :: failed
    integer :: begin, end

    do begin = 1, size(origin), chunk
      end = min(size(origin), begin + chunk - 1)
      call put_integers(unit, sum, int(end - begin + 1, i8), int(origin(begin:end), i8), failed)
    end do
  end subroutine put_origins

  !> Whether a file is a whole checkpoint, and of which run and step.
  subroutine check_checkpoint_file(file, run, step, problem)
    !> Path of the checkpoint
    character(len=*), intent(in) :: file
    !> Its run
    type(run_t), intent(out) :: run
    !> Its step
    integer, intent(out) :: step
    !> What is wrong with it; empty if nothing is
    character(len=:), allocatable, intent(out) :: problem
    integer(i8) :: head(8), bytes
    integer :: unit, iostat

    problem = ''
    step = -1
    open (newunit=unit, file=file, access='stream', form='unformatted', status='old', action='read', iostat=iostat)
    if (iostat /= 0) then
      problem = 'it cannot be read'
      return
    end if
    inquire (unit=unit, size=bytes)
    head = 0
    if (bytes > 8*head_words) read (unit, iostat=iostat) head, run%counts, run%sizes
    if (bytes <= 8*head_words .or. iostat /= 0) then
      problem = 'it is cut short'
    else if (head(1) /= magic) then
      problem = 'it is no checkpoint'
    else if (head(2) /= version .or. head(3) /= byte_order) then
      problem = 'it is of another version of merger or of another kind of machine'
    else if (head(4) /= bytes .or. bytes /= length(head(6), run%counts(2))) then
      problem = 'it has '//text(bytes)//' bytes, but should have '//text(head(4))
    else if (.not. whole(unit, bytes/8)) then
      problem = 'its checksum is wrong'
    else
      step = int(head(5))
    end if
    close (unit, iostat=iostat)
  end subroutine check_checkpoint_file

  !> Whether the last word of an open file is the checksum of the others.
  function whole(unit, words) result(right)
    !> Unit of the file
    integer, intent(in) :: unit
    !> Its length in words
    integer(i8), intent(in) :: words
    logical :: right
    type(checksum_t) :: sum
    integer(i8) :: some(chunk), begin, number, last
    integer :: iostat

    iostat = 0
    do begin = 1, words - 1, chunk
      number = min(int(chunk, i8), words - begin)
      if (iostat == 0) read (unit, pos=8*begin - 7, iostat=iostat) some(:number)
      call add_integers(sum, number, some)
    end do
    last = 0
    if (iostat == 0) read (unit, iostat=iostat) last
    right = iostat == 0 .and. last == sum%bits
  end function whole

  !> Take up the particles and the log where a checkpoint left them.
  subroutine read_checkpoint_file(file, state, log, error)
    !> Path of a checkpoint that was checked
    character(len=*), intent(in) :: file
    !> The particles; how forces and steps are made is left alone
    type(leapfrog_t), intent(inout) :: state
    !> The log; its rows are allocated
    type(energy_log_t), intent(inout) :: log
    !> Allocated if the file cannot be read
    type(error_t), allocatable, intent(out) :: error
    type(run_t) :: run
    integer(i8) :: head(8), n
    integer :: unit, iostat

    open (newunit=unit, file=file, access='stream', form='unformatted', status='old', action='read', iostat=iostat)
    if (iostat == 0) read (unit, iostat=iostat) head, run%counts, run%sizes, state%time
    if (iostat == 0) then
      n = run%counts(2)
      log%count = int(head(6))
      state%steps = head(7)
      state%steps_too_long = head(8)
      allocate (state%positions(3, n), state%velocities(3, n), state%accelerations(3, n))
      allocate (state%masses(n), state%potentials(n), state%origin(n))
      read (unit, iostat=iostat) log%rows(:, :log%count), state%positions, state%velocities, state%accelerations, &
        state%masses, state%potentials
    end if
    if (iostat == 0) call get_origins(unit, state%origin, iostat)
    if (iostat == 0) close (unit, iostat=iostat)
    if (iostat /= 0) error = file_error(file, 'cannot be read: check the disk')
  end subroutine read_checkpoint_file

  !> Read origins.
  subroutine get_origins(unit, origin, iostat)
    !> Unit of the file
    integer, intent(in) :: unit
    !> Place of each particle in the input, shape (n)
    integer(i4), intent(out) :: origin(:)
    !> Not zero if they cannot be read
    integer, intent(out) :: iostat
    integer(i8) :: words(chunk)
    integer :: begin, end

    iostat = 0
    do begin = 1, size(origin), chunk
      end = min(size(origin), begin + chunk - 1)
      if (iostat == 0) read (unit, iostat=iostat) words(:end - begin + 1)
      origin(begin:end) = int(words(:end - begin + 1), i4)
    end do
  end subroutine get_origins
end module galclass_checkpoint_file
