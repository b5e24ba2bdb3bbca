!> Signals that ask a program to stop in good order.
!>
!> Slurm sends SIGTERM before it ends a job, and SIGUSR1 if told to (--signal=USR1@300); a person at a terminal sends
!> SIGINT. They are only noted; the program asks `stop_signal` where stopping is safe.
module galclass_signals
  use, intrinsic :: iso_c_binding, only: c_funloc, c_funptr, c_int, c_intptr_t, c_null_funptr
  implicit none
  private
  public :: watch_signals, stop_signal

  !> Numbers on Linux (signal(7)).
  integer(c_int), parameter :: sigint = 2, sigusr1 = 10, sigpipe = 13, sigterm = 15, sigxfsz = 25

  !> The last signal, 0 if there was none. The one variable of a module in this code: a handler has no arguments but
  !> the number and can reach nothing else. `volatile`, since it changes behind the compiler's back.
  integer(c_int), volatile :: noted = 0

  interface
    function c_signal(number, handler) bind(c, name='signal') result(previous)
      import :: c_funptr, c_int
      integer(c_int), value :: number
      type(c_funptr), value :: handler
      type(c_funptr) :: previous
    end function c_signal
  end interface

contains

  !> Note the signals that ask to stop. Those of a broken pipe and of a file grown too large are ignored, so that
  !> they become errors of the statement that writes.
  subroutine watch_signals()
    type(c_funptr) :: note_signal, ignore_signal, previous
    integer :: i
    integer(c_int), parameter :: asking(3) = [sigint, sigusr1, sigterm], deadly(2) = [sigpipe, sigxfsz]

    note_signal = c_funloc(note)
    ! SIG_IGN of the C library.
    ignore_signal = transfer(1_c_intptr_t, c_null_funptr)
    do i = 1, size(asking)
      previous = c_signal(asking(i), note_signal)
    end do
    do i = 1, size(deadly)
      previous = c_signal(deadly(i), ignore_signal)
    end do
  end subroutine watch_signals

  !> Name of the signal that asked to stop; empty if none did.
  function stop_signal() result(name)
    character(len=:), allocatable :: name

    select case (noted)
    case (0)
      name = ''
    case (sigint)
      name = 'SIGINT'
    case (sigusr1)
      name = 'SIGUSR1'
    case default
      name = 'SIGTERM'
    end select
  end function stop_signal

  subroutine note(number) bind(c)
    !> Number of the signal
    integer(c_int), value :: number

    noted = number
  end subroutine note
end module galclass_signals
