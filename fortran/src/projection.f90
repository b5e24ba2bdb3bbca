!> Pictures of particles: projected mass, each particle a point or a round Gaussian integrated over the pixels.
!>
!> Particles are sorted by width once. A picture of each level of width is made on nodes as coarse as its Gaussian
!> allows, so a particle costs nine additions, however wide it is.
module galclass_projection
  use galclass_kinds, only: dp
  use galclass_node_grid, only: node_grid_t, make_node_grid, spread_onto_nodes, add_picture
  use galclass_threads, only: thread_count
  use galclass_width_levels, only: width_levels_t, sort_by_width
  implicit none
  private
  public :: project

  !> Points whose pixels are computed at a time; they stay in the first cache.
  integer, parameter :: block = 512
  !> Pictures that a thread draws points on at a time, so that many points are read from memory once for all of them.
  integer, parameter :: most_together = 8

contains

  !> Pictures from several cameras, particles in a fixed order: the same bits for any number of threads. Not pure: it
  !> runs in threads.
  subroutine project(positions, masses, widths, cameras, half_width, threads, pictures)
    !> Positions about the centre of the picture [kpc], shape (3, n)
    real(dp), intent(in) :: positions(:, :)
    !> Masses [1e10 Msun], shape (n)
    real(dp), intent(in) :: masses(:)
    !> Gaussian widths (sigma) [kpc], shape (n)
    real(dp), intent(in) :: widths(:)
    !> Axes of each camera: (:, 1, k) is its x axis, (:, 2, k) its y axis, (:, 3, k) the line of sight; shape (3, 3, k)
    real(dp), contiguous, intent(in) :: cameras(:, :, :)
    !> Half the side of the square picture [kpc]
    real(dp), intent(in) :: half_width
    !> Number of threads, 0 for all
    integer, intent(in) :: threads
    !> Mass in each pixel [1e10 Msun], shape (pixels, pixels, k): x, y upwards, camera
    real(dp), contiguous, intent(out) :: pictures(:, :, :)
    type(width_levels_t) :: particles
    type(node_grid_t), allocatable :: grids(:)
    integer :: level, together, first, last

    particles = sort_by_width(positions, masses, widths, half_width, size(pictures, 1))
    grids = [(make_node_grid(particles%spacing(level), particles%width(level), half_width, size(pictures, 1)), &
              level=1, size(particles%width))]
    together = max(1, min(most_together, size(cameras, 3)/thread_count(threads)))
    !$omp parallel do schedule(dynamic) num_threads(thread_count(threads)) default(none) &
    !$omp& shared(particles, grids, together, cameras, half_width, pictures) private(last)
    do first = 1, size(cameras, 3), together
      last = min(first + together - 1, size(cameras, 3))
      call draw(particles, grids, cameras(:, :, first:last), half_width, pictures(:, :, first:last))
    end do
    !$omp end parallel do
  end subroutine project

  !> A few pictures.
  pure subroutine draw(particles, grids, cameras, half_width, pictures)
    !> Particles by width
    type(width_levels_t), intent(in) :: particles
    !> The nodes of each level, shape (levels)
    type(node_grid_t), intent(in) :: grids(:)
    !> Axes of the cameras, shape (3, 3, k)
    real(dp), contiguous, intent(in) :: cameras(:, :, :)
    !> Half the side of a picture [kpc]
    real(dp), intent(in) :: half_width
    !> Mass in each pixel [1e10 Msun], shape (pixels, pixels, k)
    real(dp), contiguous, intent(out) :: pictures(:, :, :)
    real(dp), allocatable :: light(:, :)
    integer :: level, k, first, last

    associate (points => particles%last(0))
      call draw_points(particles%x(:points), particles%y(:points), particles%z(:points), particles%mass(:points), &
                       cameras, half_width, pictures)
    end associate
    do level = 1, size(grids)
      first = particles%last(level - 1) + 1
      last = particles%last(level)
      allocate (light(grids(level)%nodes, grids(level)%nodes))
      do k = 1, size(cameras, 3)
        light = 0
        call spread_onto_nodes(particles%x(first:last), particles%y(first:last), particles%z(first:last), &
                               particles%mass(first:last), particles%spread(first:last), cameras(:, :, k), &
                               grids(level)%per_kpc, light)
        call add_picture(grids(level), light, pictures(:, :, k))
      end do
      deallocate (light)
    end do
  end subroutine draw

  !> Pictures of points: each in the pixel it falls in.
  pure subroutine draw_points(x, y, z, mass, cameras, half_width, pictures)
    !> Positions [kpc] and masses [1e10 Msun], shape (n)
    real(dp), contiguous, intent(in) :: x(:), y(:), z(:), mass(:)
    !> Axes of the cameras, shape (3, 3, k)
    real(dp), intent(in) :: cameras(:, :, :)
    !> Half the side of a picture [kpc]
    real(dp), intent(in) :: half_width
    !> Mass in each pixel [1e10 Msun], shape (pixels, pixels, k)
    real(dp), contiguous, intent(out) :: pictures(:, :, :)
    real(dp), allocatable :: light(:, :)
    integer :: side, start, last, k, row

    ! The pixels and a rim about them, where what lies outside goes.
    side = size(pictures, 1) + 2
    allocate (light(0:side**2 - 1, size(cameras, 3)), source=0.0_dp)
    do start = 1, size(mass), block
      last = min(start + block - 1, size(mass))
      do k = 1, size(cameras, 3)
        call add_points(x(start:last), y(start:last), z(start:last), mass(start:last), &
                        size(pictures, 1)/(2*half_width)*cameras(:, :2, k), side, light(:, k))
      end do
    end do
    do k = 1, size(cameras, 3)
      do row = 1, side - 2
        pictures(:, row, k) = light(row*side + 1:row*side + side - 2, k)
      end do
    end do
  end subroutine draw_points

  !> Add a block of points to a picture.
  pure subroutine add_points(x, y, z, mass, axes, side, light)
    !> Positions [kpc] and masses [1e10 Msun], shape (n) with n at most that of a block
    real(dp), contiguous, intent(in) :: x(:), y(:), z(:), mass(:)
    !> Axes of the picture [pixels/kpc], shape (3, 2)
    real(dp), intent(in) :: axes(3, 2)
    !> Pixels along a side with the rim
    integer, intent(in) :: side
    !> Mass in each pixel [1e10 Msun], x first
    real(dp), contiguous, intent(inout) :: light(0:)
    real(dp) :: middle, furthest, u, v
    integer :: pixel(block), i

    middle = 0.5_dp*side
    furthest = side - 0.5_dp
    do i = 1, size(mass)
      u = axes(1, 1)*x(i) + axes(2, 1)*y(i) + axes(3, 1)*z(i) + middle
      v = axes(1, 2)*x(i) + axes(2, 2)*y(i) + axes(3, 2)*z(i) + middle
      pixel(i) = int(min(merge(u, 0.0_dp, u > 0), furthest)) + side*int(min(merge(v, 0.0_dp, v > 0), furthest))
    end do
    do i = 1, size(mass)
      light(pixel(i)) = light(pixel(i)) + mass(i)
    end do
  end subroutine add_points
end module galclass_projection
