!> Light on a square grid of nodes: particles spread onto it, and a Gaussian on each node integrated over pixels.
!>
!> A particle goes to the 3 x 3 nodes about it, with weights that keep its centre and its own variance exactly: at a
!> distance d from the middle node, (q - d)/2, 1 - q and (q + d)/2 with q = variance + d^2 (the triangular-shaped cloud
!> of Hockney & Eastwood 1988 where the variance is 1/4). A Gaussian is a product of one in x and one in y, so the
!> picture of all nodes is two products with a banded matrix.
module galclass_node_grid
  use galclass_kinds, only: dp
  implicit none
  private
  public :: node_grid_t, make_node_grid, spread_onto_nodes, add_picture

  !> Where a Gaussian is cut off, in widths; it is normalised there.
  real(dp), parameter :: reach = 4
  !> Particles whose weights are computed at a time; they stay in the first cache.
  integer, parameter :: block = 256
  !> Nodes are added to a pixel so many at a time, written out in `gather`.
  integer, parameter :: group = 5

  !> Nodes about the middle of the picture, and what each node gives each pixel.
  type :: node_grid_t
    !> Nodes along a side
    integer :: nodes
    !> Nodes a kpc
    real(dp) :: per_kpc
    !> The first node that gives each pixel of a row anything, shape (pixels)
    integer, allocatable :: first(:)
    !> The part of the light of that node and of those after it that falls in the pixel, shape (taps, pixels)
    real(dp), allocatable :: share(:, :)
  end type node_grid_t

contains

  !> The nodes that the particles of a picture can reach it from.
  pure function make_node_grid(spacing, width, half_width, pixels) result(grid)
    !> Spacing of the nodes, width of the Gaussian of each, half the side of the picture [kpc]
    real(dp), intent(in) :: spacing, width, half_width
    !> Pixels along a side
    integer, intent(in) :: pixels
    type(node_grid_t) :: grid
    real(dp), parameter :: root_half = sqrt(0.5_dp)
    real(dp) :: edge(0:pixels), node, below, above
    integer :: i, k, margin, taps

    ! At least three nodes at each rim give the picture nothing: light outside is put there.
    margin = ceiling(reach*width/spacing) + 3 + group
    grid%nodes = 2*ceiling(half_width/spacing) + 2*margin
    grid%per_kpc = 1/spacing
    edge = [(2*half_width*i/pixels - half_width, i=0, pixels)]/width
    taps = floor((2*half_width/pixels + 2*reach*width)/spacing) + 1
    taps = group*((taps + group - 1)/group)
    allocate (grid%first(pixels), grid%share(taps, pixels))
    do i = 1, pixels
      grid%first(i) = ceiling((edge(i - 1) - reach)*width/spacing + 0.5_dp*(grid%nodes + 1))
      do k = 1, taps
        node = (grid%first(i) + k - 1 - 0.5_dp*(grid%nodes + 1))*spacing/width
        below = erf(root_half*max(min(edge(i - 1) - node, reach), -reach))
        above = erf(root_half*max(min(edge(i) - node, reach), -reach))
        grid%share(k, i) = (above - below)/(2*erf(root_half*reach))
      end do
    end do
  end function make_node_grid

  !> Spread particles onto nodes. What lies outside is put on the rim, where it gives the picture nothing.
  pure subroutine spread_onto_nodes(x, y, z, mass, spread, camera, per_kpc, light)
    !> Positions [kpc], masses [1e10 Msun], variances over the nodes [spacings^2], shape (n)
    real(dp), contiguous, intent(in) :: x(:), y(:), z(:), mass(:), spread(:)
    !> Axes of the camera, shape (3, 3)
    real(dp), intent(in) :: camera(3, 3)
    !> Nodes a kpc
    real(dp), intent(in) :: per_kpc
    !> Light on the nodes, y first, shape (nodes, nodes)
    real(dp), contiguous, intent(inout) :: light(0:, 0:)
    real(dp) :: right(3), up(3), middle, furthest, u, v, q
    real(dp), dimension(block) :: left_u, here_u, right_u, left_v, here_v, right_v
    integer :: row(block), column(block), i, k, start

    right = per_kpc*camera(:, 1)
    up = per_kpc*camera(:, 2)
    middle = 0.5_dp*(size(light, 1) - 1)
    furthest = size(light, 1) - 2
    do start = 0, size(mass) - 1, block
      do k = 1, min(block, size(mass) - start)
        i = start + k
        u = right(1)*x(i) + right(2)*y(i) + right(3)*z(i) + middle
        v = up(1)*x(i) + up(2)*y(i) + up(3)*z(i) + middle
        u = min(merge(u, 1.0_dp, u > 1), furthest)
        v = min(merge(v, 1.0_dp, v > 1), furthest)
        column(k) = int(u + 0.5_dp)
        row(k) = int(v + 0.5_dp)
        u = u - column(k)
        v = v - row(k)
        q = spread(i) + u*u
        right_u(k) = 0.5_dp*mass(i)*(q + u)
        left_u(k) = 0.5_dp*mass(i)*(q - u)
        here_u(k) = mass(i)*(1 - q)
        q = spread(i) + v*v
        right_v(k) = 0.5_dp*(q + v)
        left_v(k) = 0.5_dp*(q - v)
        here_v(k) = 1 - q
      end do
      do k = 1, min(block, size(mass) - start)
        call add_to(light(row(k) - 1:row(k) + 1, column(k) - 1), left_u(k))
        call add_to(light(row(k) - 1:row(k) + 1, column(k)), here_u(k))
        call add_to(light(row(k) - 1:row(k) + 1, column(k) + 1), right_u(k))
      end do
    end do

  contains

    !> Add one column of the 3 x 3 weights.
    pure subroutine add_to(column, weight)
      !> Three nodes above each other
      real(dp), intent(inout) :: column(3)
      !> The part of the particle's light for them
      real(dp), intent(in) :: weight

      column(1) = column(1) + weight*left_v(k)
      column(2) = column(2) + weight*here_v(k)
      column(3) = column(3) + weight*right_v(k)
    end subroutine add_to
  end subroutine spread_onto_nodes

  !> Add the light of nodes to a picture.
  pure subroutine add_picture(grid, light, picture)
    !> The nodes
    type(node_grid_t), intent(in) :: grid
    !> Light on the nodes, y first, shape (nodes, nodes)
    real(dp), contiguous, intent(in) :: light(:, :)
    !> Light in the pixels, x first, shape (pixels, pixels)
    real(dp), contiguous, intent(inout) :: picture(:, :)
    real(dp), allocatable :: columns(:, :), rows(:, :)

    allocate (columns(grid%nodes, size(picture, 1)), source=0.0_dp)
    call gather(grid, light, columns)
    rows = transpose(columns)
    call gather(grid, rows, picture)
  end subroutine add_picture

  !> Add the light of nodes to the pixels along the second axis.
  pure subroutine gather(grid, light, pixels)
    !> The nodes
    type(node_grid_t), intent(in) :: grid
    !> Light on the nodes, shape (m, nodes)
    real(dp), contiguous, intent(in) :: light(:, :)
    !> Light in the pixels, shape (m, pixels)
    real(dp), contiguous, intent(inout) :: pixels(:, :)
    integer :: i, k, node

    do i = 1, size(pixels, 2)
      do k = 1, size(grid%share, 1), group
        node = grid%first(i) + k - 1
        pixels(:, i) = pixels(:, i) + grid%share(k, i)*light(:, node) + grid%share(k + 1, i)*light(:, node + 1) &
                       + grid%share(k + 2, i)*light(:, node + 2) + grid%share(k + 3, i)*light(:, node + 3) &
                       + grid%share(k + 4, i)*light(:, node + 4)
      end do
    end do
  end subroutine gather
end module galclass_node_grid
