!> Particles sorted by their Gaussian width into levels, six an octave.
!>
!> A level has nodes of one spacing, and one Gaussian that is narrower than its particles; what a particle lacks in
!> variance it gets when it is spread over the nodes (node_grid.f90), so that each has its own width and not its level's.
!> Levels are fractions of the field, not of a pixel: pictures of different sampling show the same light.
module galclass_width_levels
  use galclass_kinds, only: dp
  implicit none
  private
  public :: width_levels_t, sort_by_width

  !> Levels an octave.
  integer, parameter :: steps = 6
  !> Variance of a particle over its nodes [spacings^2]: of the narrowest and of the widest particle of a level. Below
  !> 1/4 and above 3/4 the share of a node could be negative. They set the spacing: 0.86 of the narrowest width.
  real(dp), parameter :: least_spread = 0.25_dp, most_spread = 0.6_dp
  !> A narrower particle is a point [pixels]: its variance would be less than half of what the pixel itself adds, 1/12.
  real(dp), parameter :: narrowest = 0.2_dp

  !> Particles by level.
  type :: width_levels_t
    !> Positions [kpc], masses [1e10 Msun], and variances over the nodes [spacings^2], shape (n)
    real(dp), allocatable :: x(:), y(:), z(:), mass(:), spread(:)
    !> The last particle of each level, shape (0:levels); level 0 is that of points
    integer, allocatable :: last(:)
    !> Spacing of the nodes and width of the Gaussian of each level [kpc], shape (levels)
    real(dp), allocatable :: spacing(:), width(:)
  end type width_levels_t

contains

  !> Sort particles by width, within a level in the order they come; levels without particles are left out.
  pure function sort_by_width(positions, masses, widths, half_width, pixels) result(sorted)
    !> Positions [kpc], shape (3, n)
    real(dp), intent(in) :: positions(:, :)
    !> Masses [1e10 Msun], shape (n)
    real(dp), intent(in) :: masses(:)
    !> Gaussian widths (sigma) [kpc], at least 0, shape (n)
    real(dp), intent(in) :: widths(:)
    !> Half the side of the square picture [kpc]
    real(dp), intent(in) :: half_width
    !> Pixels along a side
    integer, intent(in) :: pixels
    type(width_levels_t) :: sorted
    integer, allocatable :: number(:), order(:), last(:), levels(:)
    real(dp), allocatable :: least(:)
    !> Spacing of the nodes over the narrowest width of a level
    real(dp), parameter :: spacing = sqrt((2**(2/real(steps, dp)) - 1)/(most_spread - least_spread))
    integer :: points, k

    points = ceiling(steps*log(2*narrowest/pixels)/log(2.0_dp)) - 1
    number = max(points, floor(steps*log(max(widths/half_width, tiny(1.0_dp)))/log(2.0_dp)))
    call sort_by_number(number, points, order, last)
    levels = pack([(k, k=points + 1, ubound(last, 1))], last(points + 1:) > last(points:ubound(last, 1) - 1))
    least = half_width*2**(levels/real(steps, dp))

    sorted%x = positions(1, order)
    sorted%y = positions(2, order)
    sorted%z = positions(3, order)
    sorted%mass = masses(order)
    allocate (sorted%last(0:size(levels)), source=last([points, levels]))
    sorted%spacing = least*spacing
    sorted%width = least*sqrt(1 - least_spread*spacing**2)
    sorted%spread = widths(order)
    do k = 1, size(levels)
      associate (spread => sorted%spread(sorted%last(k - 1) + 1:sorted%last(k)))
        spread = (spread/sorted%spacing(k))**2 - (sorted%width(k)/sorted%spacing(k))**2
      end associate
    end do
  end function sort_by_width

  !> Order of items by a number each, stable.
  pure subroutine sort_by_number(number, first, order, last)
    !> The number of each item, shape (n)
    integer, intent(in) :: number(:)
    !> The least number there may be
    integer, intent(in) :: first
    !> The items in order, shape (n)
    integer, allocatable, intent(out) :: order(:)
    !> How many items have this number or a smaller one, from first - 1 to the largest number
    integer, allocatable, intent(out) :: last(:)
    integer, allocatable :: next(:)
    integer :: i, k

    allocate (order(size(number)), last(first - 1:maxval(number)))
    last = 0
    do i = 1, size(number)
      last(number(i)) = last(number(i)) + 1
    end do
    do k = first, ubound(last, 1)
      last(k) = last(k) + last(k - 1)
    end do
    next = last(:ubound(last, 1) - 1)
    do i = 1, size(number)
      associate (place => next(number(i) - first + 1))
        place = place + 1
        order(place) = i
      end associate
    end do
  end subroutine sort_by_number
end module galclass_width_levels
