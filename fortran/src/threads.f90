!> How many OpenMP threads to use.
module galclass_threads
  !$ use omp_lib, only: omp_get_max_threads
  implicit none
  private
  public :: thread_count

contains

  !> The number of threads to run on: fewer for little work, where waiting for each other would cost more than the work.
  !> Not pure: it asks the OpenMP library.
  function thread_count(requested, work, share) result(threads)
    !> Number of threads the user wants; 0 for as many as OpenMP offers (OMP_NUM_THREADS, else all cores)
    integer, intent(in) :: requested
    !> Pieces of work, and how many a thread should have at least
    integer, intent(in), optional :: work, share
    integer :: threads

    threads = max(1, requested)
    !$ if (requested == 0) threads = omp_get_max_threads()
    if (present(work) .and. present(share)) threads = min(threads, max(1, work/share))
  end function thread_count
end module galclass_threads
