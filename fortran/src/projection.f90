!> Pictures of particles: projected mass, each particle a round Gaussian integrated over the pixels.
!>
!> A Gaussian is a product of one in x and one in y, so a stamp is the product of two rows of differences of the
!> error function. It is cut off at `reach` widths and normalised there, so no mass is lost inside the picture.
module galclass_projection
  use galclass_kinds, only: dp
  use galclass_threads, only: thread_count
  implicit none
  private
  public :: project

  !> Where a Gaussian is cut off, in widths.
  real(dp), parameter :: reach = 4

contains

  !> Pictures from several cameras, one thread to a picture, particles in index order: the same bits for any number
  !> of threads. Not pure: it runs in threads.
  subroutine project(positions, masses, widths, cameras, half_width, threads, pictures)
    !> Positions about the centre of the picture [kpc], shape (3, n)
    real(dp), intent(in) :: positions(:, :)
    !> Masses [1e10 Msun], shape (n)
    real(dp), intent(in) :: masses(:)
    !> Gaussian widths (sigma) [kpc], shape (n)
    real(dp), intent(in) :: widths(:)
    !> Axes of each camera: (:, 1, k) is its x axis, (:, 2, k) its y axis, (:, 3, k) the line of sight; shape (3, 3, k)
    real(dp), intent(in) :: cameras(:, :, :)
    !> Half the side of the square picture [kpc]
    real(dp), intent(in) :: half_width
    !> Number of threads, 0 for all
    integer, intent(in) :: threads
    !> Mass in each pixel [1e10 Msun], shape (pixels, pixels, k): x, y upwards, camera
    real(dp), intent(out) :: pictures(:, :, :)
    integer :: k

    !$omp parallel do schedule(dynamic) num_threads(thread_count(threads)) default(none) &
    !$omp& shared(positions, masses, widths, cameras, half_width, pictures)
    do k = 1, size(cameras, 3)
      call picture(positions, masses, widths, cameras(:, :, k), half_width, pictures(:, :, k))
    end do
    !$omp end parallel do
  end subroutine project

  !> One picture.
  pure subroutine picture(positions, masses, widths, camera, half_width, pixels)
    !> Positions [kpc], shape (3, n)
    real(dp), intent(in) :: positions(:, :)
    !> Masses [1e10 Msun], shape (n)
    real(dp), intent(in) :: masses(:)
    !> Gaussian widths [kpc], shape (n)
    real(dp), intent(in) :: widths(:)
    !> Axes of the camera, shape (3, 3)
    real(dp), intent(in) :: camera(:, :)
    !> Half the side of the picture [kpc]
    real(dp), intent(in) :: half_width
    !> Mass in each pixel [1e10 Msun], shape (pixels, pixels)
    real(dp), intent(out) :: pixels(:, :)
    real(dp) :: across(size(pixels, 1)), up(size(pixels, 2)), place(2), width, per_kpc
    integer :: i, row, x_range(2), y_range(2)

    pixels = 0
    per_kpc = size(pixels, 1)/(2*half_width)
    do i = 1, size(masses)
      place = per_kpc*([dot_product(camera(:, 1), positions(:, i)), dot_product(camera(:, 2), positions(:, i))] + half_width)
      width = max(per_kpc*widths(i), 1.0e-9_dp)
      if (any(place + reach*width <= 0) .or. any(place - reach*width >= size(pixels, 1))) cycle
      call weights(place(1), width, across, x_range)
      call weights(place(2), width, up, y_range)
      do row = y_range(1), y_range(2)
        associate (line => pixels(x_range(1):x_range(2), row))
          line = line + masses(i)*up(row)*across(x_range(1):x_range(2))
        end associate
      end do
    end do
  end subroutine picture

  !> The parts of a truncated Gaussian that fall in each pixel of a row.
  pure subroutine weights(place, width, share, range)
    !> Its centre [pixels]; pixel i reaches from i - 1 to i
    real(dp), intent(in) :: place
    !> Its width [pixels], above 0
    real(dp), intent(in) :: width
    !> Parts, set only within the range; they sum to 1 if the Gaussian lies inside the row
    real(dp), intent(inout) :: share(:)
    !> First and last pixel that get a part
    integer, intent(out) :: range(2)
    real(dp), parameter :: root_half = sqrt(0.5_dp)
    real(dp) :: below, above
    integer :: i

    range(1) = int(max(place - reach*width, 0.0_dp)) + 1
    range(2) = min(int(min(place + reach*width, real(size(share), dp))) + 1, size(share))
    below = erf(root_half*max((range(1) - 1 - place)/width, -reach))
    do i = range(1), range(2)
      above = erf(root_half*min(max((i - place)/width, -reach), reach))
      share(i) = (above - below)/(2*erf(root_half*reach))
      below = above
    end do
  end subroutine weights
end module galclass_projection
