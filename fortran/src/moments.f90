!> Moments of a picture within a round aperture: flux, centre, and the second moments that give size and axis ratio.
module galclass_moments
  use galclass_kinds, only: dp
  use galclass_errors, only: error_t, plain_error
  implicit none
  private
  public :: image_moments

contains

  !> Moments over the pixels whose centres lie within the aperture.
  pure subroutine image_moments(picture, centre, radius, flux, mean, second, error)
    !> Brightness, shape (nx, ny)
    real(dp), intent(in) :: picture(:, :)
    !> Centre of the aperture [pixels], x and y; the centre of the first pixel is at 0
    real(dp), intent(in) :: centre(2)
    !> Radius of the aperture [pixels]
    real(dp), intent(in) :: radius
    !> Sum of the brightness
    real(dp), intent(out) :: flux
    !> Its mean place [pixels], x and y
    real(dp), intent(out) :: mean(2)
    !> Its second moments about that place, xx, yy and xy [pixels^2]
    real(dp), intent(out) :: second(3)
    !> Allocated if the aperture holds no flux
    type(error_t), allocatable, intent(out) :: error
    real(dp) :: d(2)
    integer :: x, y

    flux = 0; mean = 0; second = 0
    do y = 1, size(picture, 2)
      do x = 1, size(picture, 1)
        d = [x - 1, y - 1] - centre
        if (d(1)**2 + d(2)**2 > radius**2) cycle
        flux = flux + picture(x, y)
        mean = mean + picture(x, y)*d
        second = second + picture(x, y)*[d(1)**2, d(2)**2, d(1)*d(2)]
      end do
    end do
    if (.not. flux > 0) then
      error = plain_error('moments: the aperture holds no flux: allowed is a sum of the brightness > 0')
      return
    end if
    mean = mean/flux
    second = second/flux - [mean(1)**2, mean(2)**2, mean(1)*mean(2)]
    mean = mean + centre
  end subroutine image_moments
end module galclass_moments
