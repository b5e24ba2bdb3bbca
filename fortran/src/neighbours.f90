!> Distance of each particle to its k-th neighbour, exactly.
!>
!> A balanced k-d tree (Bentley 1975) in place: particles are put in order so that each half of a range lies on one side
!> of a plane. All particles of a leaf search together: whatever lies near the leaf is gathered once, and the k-th
!> smallest distance is found by counting, which runs in whole vectors where a sorted list would not.
module galclass_neighbours
  use galclass_kinds, only: dp
  use galclass_threads, only: thread_count
  implicit none
  private
  public :: neighbour_distances

  !> Most particles in a leaf.
  integer, parameter :: leaf_capacity = 16
  !> What is searched first, as a part of the distance that is surely enough.
  real(dp), parameter :: first_try = 0.6_dp

  !> Particles in the order of the tree. Node 1 is the whole; nodes 2i and 2i + 1 are the halves of node i.
  type :: kd_tree_t
    !> Which particle is at each place, shape (n)
    integer, allocatable :: order(:)
    !> Positions in that order [kpc], shape (n, 3)
    real(dp), allocatable :: place(:, :)
    !> The particles of each node, shape (nodes)
    integer, allocatable :: first(:), last(:)
    !> Corners of the box about them [kpc], shape (3, nodes)
    real(dp), allocatable :: low(:, :), high(:, :)
  end type kd_tree_t

  !> Particles that may be neighbours of those of a leaf.
  type :: candidates_t
    integer :: count = 0
    !> Positions [kpc], shape (at least count, 3)
    real(dp), allocatable :: place(:, :)
  end type candidates_t

contains

  !> Distances to the k-th neighbour; the same bits for any number of threads. Not pure: it runs in threads.
  subroutine neighbour_distances(positions, neighbours, threads, distances)
    !> Positions [kpc], shape (3, n)
    real(dp), intent(in) :: positions(:, :)
    !> Which neighbour, 1 to n - 1
    integer, intent(in) :: neighbours
    !> Number of threads, 0 for all
    integer, intent(in) :: threads
    !> Distances [kpc], shape (n)
    real(dp), intent(out) :: distances(:)
    type(kd_tree_t) :: tree
    type(candidates_t) :: near
    integer :: leaves, leaf

    leaves = 1
    do while (leaves*leaf_capacity < size(distances))
      leaves = 2*leaves
    end do
    tree%order = [(leaf, leaf=1, size(distances))]
    tree%place = transpose(positions)
    allocate (tree%low(3, 2*leaves - 1), tree%high(3, 2*leaves - 1), tree%first(2*leaves - 1), tree%last(2*leaves - 1))
    call grow(tree, 1, 1, size(distances))
    !$omp parallel do schedule(dynamic, 16) num_threads(thread_count(threads)) default(none) &
    !$omp& shared(tree, leaves, neighbours, distances) private(near)
    do leaf = leaves, 2*leaves - 1
      call search(tree, leaf, neighbours, near, distances)
    end do
    !$omp end parallel do
  end subroutine neighbour_distances

  !> Make a node of a range of particles, and those below it.
  pure recursive subroutine grow(tree, node, first, last)
    !> The tree; the particles of the range are put in order
    type(kd_tree_t), intent(inout) :: tree
    !> The node, and its range
    integer, intent(in) :: node, first, last
    integer :: middle

    tree%first(node) = first
    tree%last(node) = last
    tree%low(:, node) = minval(tree%place(first:last, :), 1)
    tree%high(:, node) = maxval(tree%place(first:last, :), 1)
    if (2*node > size(tree%first)) return
    middle = (first + last)/2
    call halve(tree, maxloc(tree%high(:, node) - tree%low(:, node), 1), first, last, middle)
    call grow(tree, 2*node, first, middle)
    call grow(tree, 2*node + 1, middle + 1, last)
  end subroutine grow

  !> Put particles in order until none up to the middle lies above one after it (Hoare 1961, algorithm 65).
  pure subroutine halve(tree, axis, first, last, middle)
    !> The tree
    type(kd_tree_t), intent(inout) :: tree
    !> Axis to compare
    integer, intent(in) :: axis
    !> Range of particles, and its middle
    integer, intent(in) :: first, last, middle
    real(dp) :: pivot
    integer :: left, right, i, k

    left = first
    right = last
    do while (left < right)
      pivot = tree%place((left + right)/2, axis)
      i = left
      k = right
      do while (i <= k)
        do while (tree%place(i, axis) < pivot)
          i = i + 1
        end do
        do while (tree%place(k, axis) > pivot)
          k = k - 1
        end do
        if (i > k) exit
        tree%place([i, k], :) = tree%place([k, i], :)
        tree%order([i, k]) = tree%order([k, i])
        i = i + 1
        k = k - 1
      end do
      if (k < middle) left = i
      if (i > middle) right = k
    end do
  end subroutine halve

  !> Distances of the particles of a leaf.
  pure subroutine search(tree, leaf, neighbours, near, distances)
    !> The tree
    type(kd_tree_t), intent(in) :: tree
    !> The leaf
    integer, intent(in) :: leaf
    !> Which neighbour
    integer, intent(in) :: neighbours
    !> Room for the candidates
    type(candidates_t), intent(inout) :: near
    !> Distances of all particles [kpc]; set for those of the leaf
    real(dp), intent(inout) :: distances(:)
    real(dp) :: square
    real(dp), allocatable :: bound(:), place(:, :)
    integer :: above, i

    place = tree%place(tree%first(leaf):tree%last(leaf), :)
    ! The smallest node about the leaf that holds enough particles bounds the squared distances.
    above = leaf
    do while (tree%last(above) - tree%first(above) < neighbours)
      above = above/2
    end do
    near%count = 0
    call add(tree, above, near)
    bound = [(kth_square(near, place(i, :), neighbours + 1, huge(bound)), i=1, size(place, 1))]
    ! Most lie within much less: look there first, and then as far as is left to be done.
    square = first_try**2*maxval(bound)
    call tighten(tree, leaf, neighbours, square, place, bound > 0, near, bound)
    if (any(bound > square)) then
      call tighten(tree, leaf, neighbours, maxval(bound)*(1 + 16*epsilon(bound)), place, bound > square, near, bound)
    end if
    distances(tree%order(tree%first(leaf):tree%last(leaf))) = sqrt(bound)
  end subroutine search

  !> Bring bounds down to the distances among what lies near a leaf.
  pure subroutine tighten(tree, leaf, neighbours, square, place, wanted, near, bound)
    !> The tree
    type(kd_tree_t), intent(in) :: tree
    !> The leaf, and which neighbour
    integer, intent(in) :: leaf, neighbours
    !> Square of how near [kpc^2]
    real(dp), intent(in) :: square
    !> Positions of the particles of the leaf [kpc], shape (m, 3), and whether to do them, shape (m)
    real(dp), intent(in) :: place(:, :)
    logical, intent(in) :: wanted(:)
    !> Room for the candidates
    type(candidates_t), intent(inout) :: near
    !> Squares of the distances, or of more [kpc^2], shape (m)
    real(dp), intent(inout) :: bound(:)
    integer :: i

    near%count = 0
    call gather(tree, 1, leaf, square, near)
    if (near%count <= neighbours) return
    do i = 1, size(bound)
      if (wanted(i)) bound(i) = min(bound(i), kth_square(near, place(i, :), neighbours + 1, bound(i)))
    end do
  end subroutine tighten

  !> Add the particles below a node that may lie near a leaf.
  pure recursive subroutine gather(tree, node, leaf, square, near)
    !> The tree
    type(kd_tree_t), intent(in) :: tree
    !> The node, and the leaf
    integer, intent(in) :: node, leaf
    !> Square of how near their boxes must be [kpc^2]
    real(dp), intent(in) :: square
    !> The candidates
    type(candidates_t), intent(inout) :: near
    real(dp) :: gap(3)

    gap = max(tree%low(:, node) - tree%high(:, leaf), tree%low(:, leaf) - tree%high(:, node), 0.0_dp)
    if (dot_product(gap, gap) > square) return
    if (2*node > size(tree%first)) then
      call add(tree, node, near)
    else
      call gather(tree, 2*node, leaf, square, near)
      call gather(tree, 2*node + 1, leaf, square, near)
    end if
  end subroutine gather

  !> Add the particles of a node.
  pure subroutine add(tree, node, near)
    !> The tree
    type(kd_tree_t), intent(in) :: tree
    !> The node
    integer, intent(in) :: node
    !> The candidates
    type(candidates_t), intent(inout) :: near
    real(dp), allocatable :: more(:, :)
    integer :: count

    count = near%count + tree%last(node) - tree%first(node) + 1
    if (.not. allocated(near%place)) allocate (near%place(0, 3))
    if (count > size(near%place, 1)) then
      allocate (more(2*count, 3))
      more(:near%count, :) = near%place(:near%count, :)
      call move_alloc(more, near%place)
    end if
    near%place(near%count + 1:count, :) = tree%place(tree%first(node):tree%last(node), :)
    near%count = count
  end subroutine add

  !> The k-th smallest squared distance of candidates from a place.
  pure function kth_square(near, place, k, bound) result(square)
    !> The candidates, at least k
    type(candidates_t), intent(in) :: near
    !> The place [kpc], shape (3)
    real(dp), intent(in) :: place(3)
    !> Which distance, counted from 1
    integer, intent(in) :: k
    !> If at least k of them are not larger than this, a first guess [kpc^2]
    real(dp), intent(in) :: bound
    real(dp) :: square
    real(dp) :: squares(near%count), below, above, middle
    integer :: fewer, more, counted, i

    squares = (near%place(:near%count, 1) - place(1))**2 + (near%place(:near%count, 2) - place(2))**2 &
              + (near%place(:near%count, 3) - place(3))**2
    ! Fewer than k are at most `below`, k or more at most `above`.
    below = -1
    fewer = 0
    above = bound
    more = count(squares <= above)
    if (more < k .or. more == size(squares)) then
      above = maxval(squares)
      more = size(squares)
    end if
    do i = 1, 20
      if (more == k) exit
      middle = max(below, 0.0_dp)
      middle = middle + (above - middle)*merge(0.5_dp, (k - fewer - 0.5_dp)/(more - fewer), mod(i, 3) == 0)
      counted = count(squares <= middle)
      if (counted < k) then
        below = middle
        fewer = counted
      else
        above = middle
        more = counted
      end if
    end do
    if (more == k) then
      square = maxval(merge(squares, -1.0_dp, squares <= above))
      return
    end if
    ! Equal distances, or nearly: one after the other.
    do while (fewer < k)
      below = minval(merge(squares, huge(below), squares > below))
      fewer = count(squares <= below)
    end do
    square = below
  end function kth_square
end module galclass_neighbours
