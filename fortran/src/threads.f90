!> How many OpenMP threads to use.
module galclass_threads
  !$ use omp_lib, only: omp_get_max_threads
  implicit none
  private
  public :: thread_count

contains

  !> The number of threads to run on. Not pure: it asks the OpenMP library.
  function thread_count(requested) result(threads)
    !> Number of threads the user wants; 0 for as many as OpenMP offers (OMP_NUM_THREADS, else all cores)
    integer, intent(in) :: requested
    integer :: threads

    threads = max(1, requested)
    !$ if (requested == 0) threads = omp_get_max_threads()
  end function thread_count
end module galclass_threads
