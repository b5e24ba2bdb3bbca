!> Progress of long work as plain lines: how far, and how long still.
module galclass_progress
  use, intrinsic :: iso_fortran_env, only: output_unit
  use galclass_kinds, only: dp, i8
  use galclass_errors, only: text
  implicit none
  private
  public :: progress_t, start_progress, report_progress, say, seconds

  type :: progress_t
    !> Program or stage, the first word of each line
    character(len=:), allocatable :: name
    !> Steps there are, and those that were done before
    integer :: total = 0, before = 0
    !> Wall-clock time of the start and of the last line [s]
    real(dp) :: started = 0, reported = 0
  end type progress_t

  !> Between lines pass at least a quarter of the time so far, within these limits [s], so that a log file stays short.
  real(dp), parameter :: shortest_pause = 5, longest_pause = 300

contains

  !> Start the clock. Not pure: it reads it.
  function start_progress(name, total, before) result(progress)
    !> Program or stage, the first word of each line
    character(len=*), intent(in) :: name
    !> Steps there are
    integer, intent(in) :: total
    !> Steps that were done before the clock was started
    integer, intent(in) :: before
    type(progress_t) :: progress

    progress%name = name
    progress%total = total
    progress%before = before
    progress%started = seconds()
    progress%reported = progress%started
  end function start_progress

  !> Print a line if the last one is old or the work is done.
  subroutine report_progress(progress, done)
    !> The clock
    type(progress_t), intent(inout) :: progress
    !> Steps done, with those before
    integer, intent(in) :: done
    real(dp) :: now, left, pause

    now = seconds()
    pause = min(max(shortest_pause, 0.25_dp*(now - progress%started)), longest_pause)
    if (done < progress%total .and. now - progress%reported < pause) return
    progress%reported = now
    left = (now - progress%started)*real(progress%total - done, dp)/real(max(done - progress%before, 1), dp)
    call say(progress%name//': '//text(int(100.0_dp*done/max(progress%total, 1)))//' % ('//text(done)//' of '// &
             text(progress%total)//' steps), '//text(nint(left))//' s left')
  end subroutine report_progress

  !> Print a line at once. A reader that has gone, such as a pipe's other end, is no reason to stop.
  subroutine say(line)
    !> The line
    character(len=*), intent(in) :: line
    integer :: iostat

    write (output_unit, '(a)', iostat=iostat) line
    flush (output_unit, iostat=iostat)
  end subroutine say

  !> Wall-clock time [s] from some moment in the past.
  function seconds() result(now)
    real(dp) :: now
    integer(i8) :: ticks, rate

    call system_clock(ticks, rate)
    now = real(ticks, dp)/real(rate, dp)
  end function seconds
end module galclass_progress
