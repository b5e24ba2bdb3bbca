!> A binary tree over particles along the Morton curve: cells, their centres of mass, radii and multipoles.
!>
!> A cell is halved along x, y, z in turn until few particles are left (a radix tree; compare pkdgrav, Stadel 2001): of
!> equal pairs of particles an octree needs twice as many pairs of cells. The shape of the tree is made once from the
!> positions (`grow_tree`); `refresh_tree` brings centres, radii and multipoles up to date when particles have moved a
!> little.
module galclass_tree
  use galclass_kinds, only: sp, dp, i1, i4, i8
  use galclass_units, only: gravitational_constant
  use galclass_morton, only: morton_keys, key_bits
  use galclass_radix_sort, only: sort_by_key
  use galclass_expansion, only: multipoles, add_particles, shift_multipole
  implicit none
  private
  public :: cell_t, tree_t, leaf_capacity, vector_length, grow_tree, refresh_tree

  !> Particles are read in whole vectors of so many.
  integer, parameter :: vector_length = 8
  !> Most particles in a leaf, whole vectors: fewer make more pairs of cells, more make more pairs of particles.
  integer, parameter :: leaf_capacity = 16
  !> A cell with more than this share of all particles is split by one thread, what lies below by all.
  integer, parameter :: crown_share = 128
  !> A cell with at most this many particles gets its exact radius, a larger one a bound from its children.
  integer, parameter :: exact_radius = 2048

  !> A cell: 64 bytes, a line of the cache, with all that the walk asks of a source.
  type :: cell_t
    !> Centre of mass [kpc]
    real(dp) :: centre(3) = 0
    !> Largest distance of a particle from it [kpc]
    real(dp) :: radius = 0
    !> The same for a cell with children, -1 for a leaf: it is opened if this is larger than the target's radius
    real(dp) :: inner_radius = -1
    !> G times mass [kpc (km/s)^2]
    real(sp) :: gm = 0
    !> Its children are cells child and child + 1; for a leaf, minus its number
    integer(i4) :: child = 0
    !> Its particles are first to first + count - 1
    integer(i4) :: first = 0, count = 0
    !> How many of its particles are active
    integer(i4) :: active = 0
  end type cell_t

  type :: tree_t
    !> Cells; the first is the whole, and children come after their parent
    type(cell_t), allocatable :: cells(:)
    !> Smallest acceleration of each cell's active particles [(km/s)^2/kpc]
    real(sp), allocatable :: least_pull(:)
    !> Multipoles of each cell, shape (multipoles, cells)
    real(sp), allocatable :: multipole(:, :)
    !> Particles of each leaf: x, y, z relative to its centre [kpc] and G times mass [kpc (km/s)^2],
    !> shape (leaf_capacity, 4, leaves)
    real(sp), allocatable :: particles(:, :, :)
    !> Cells up to crown are above the branches; branch k is the cells branches(k - 1) + 1 to branches(k)
    integer(i4), allocatable :: branches(:)
  end type tree_t

  !> What the keys still tell about a cell.
  type :: key_range_t
    !> Longest side of the box that the keys divide [kpc]
    real(dp) :: box = 0
    !> Bits in which keys within the cell may differ
    integer :: bits = 0
  end type key_range_t

  !> Cells as they are found.
  type :: cell_list_t
    type(cell_t), allocatable :: cells(:)
    integer :: count = 0
  end type cell_list_t

contains

  !> Sort particles along the Morton curve and find the cells.
  subroutine grow_tree(positions, widest_leaf, threads, tree, order)
    !> Positions [kpc], shape (3, n)
    real(dp), intent(in) :: positions(:, :)
    !> Longest side of a leaf with more than one particle [kpc]
    real(dp), intent(in) :: widest_leaf
    !> Number of threads, at least 1
    integer, intent(in) :: threads
    !> The cells; they number the particles along the curve. Ready for `refresh_tree`
    type(tree_t), intent(inout) :: tree
    !> Which particle is at each place of the curve, shape (n)
    integer(i4), allocatable, intent(out) :: order(:)
    integer(i8), allocatable :: keys(:)
    type(cell_list_t) :: crown
    type(cell_list_t), allocatable :: branches(:)
    integer, allocatable :: roots(:)
    type(key_range_t), allocatable :: ranges(:)
    type(key_range_t) :: whole
    integer :: n, i

    ! The old tree goes first: otherwise both would count towards the peak of memory.
    if (allocated(tree%cells)) deallocate (tree%cells, tree%branches)
    if (allocated(tree%multipole)) deallocate (tree%least_pull, tree%multipole, tree%particles)
    n = size(positions, 2)
    allocate (order(n), keys(n))
    order = [(i, i=1, n)]
    call morton_keys(positions, order, threads, keys, whole%box)
    call sort_by_key(threads, key_bits, keys, order)
    whole%bits = key_bits

    call start_list(crown, 1, n)
    call split_crown(positions, keys, order, max(leaf_capacity, n/crown_share), whole, crown, roots, ranges)
    allocate (branches(size(roots)))
    !$omp parallel do schedule(dynamic) num_threads(threads) default(none) &
    !$omp& shared(branches, crown, roots, ranges, positions, keys, order, widest_leaf)
    do i = 1, size(roots)
      call start_list(branches(i), crown%cells(roots(i))%first, crown%cells(roots(i))%count)
      call split_cell(positions, keys, order, widest_leaf, branches(i), 1, ranges(i))
    end do
    !$omp end parallel do
    call join_branches(crown, roots, branches, threads, tree)
  end subroutine grow_tree

  !> A list with one cell.
  subroutine start_list(list, first, count)
    !> The list
    type(cell_list_t), intent(out) :: list
    !> First particle of the cell, and how many it has
    integer(i4), intent(in) :: first, count

    allocate (list%cells(max(8, 4*count/leaf_capacity)))
    list%count = 1
    list%cells(1) = cell_t(first=first, count=count)
  end subroutine start_list

  !> Split the cells that hold more than a number of particles; the others are roots of branches.
  subroutine split_crown(positions, keys, order, most, whole, crown, roots, ranges)
    !> Positions [kpc], shape (3, n)
    real(dp), intent(in) :: positions(:, :)
    !> Keys and order of the particles, shape (n)
    integer(i8), intent(inout) :: keys(:)
    integer(i4), intent(inout) :: order(:)
    !> Most particles of a root
    integer, intent(in) :: most
    !> What the keys tell about the whole
    type(key_range_t), intent(in) :: whole
    !> The cells
    type(cell_list_t), intent(inout) :: crown
    !> Cells that are roots of branches, and what the keys still tell about them
    integer, allocatable, intent(out) :: roots(:)
    type(key_range_t), allocatable, intent(out) :: ranges(:)
    type(key_range_t), allocatable :: known(:)
    type(key_range_t) :: below
    integer :: at

    allocate (roots(0), ranges(0))
    allocate (known(1), source=whole)
    at = 1
    do while (at <= crown%count)
      below = known(at)
      if (crown%cells(at)%count <= most) then
        roots = [roots, at]
        ranges = [ranges, below]
      else
        call halve(positions, keys, order, crown, at, below)
        known = [known, below, below]
      end if
      at = at + 1
    end do
  end subroutine split_crown

  !> Split a cell until its leaves are small enough.
  recursive subroutine split_cell(positions, keys, order, widest_leaf, list, at, range)
    !> Positions [kpc], shape (3, n)
    real(dp), intent(in) :: positions(:, :)
    !> Keys and order of the particles, shape (n)
    integer(i8), intent(inout) :: keys(:)
    integer(i4), intent(inout) :: order(:)
    !> Longest side of a leaf with more than one particle [kpc]
    real(dp), intent(in) :: widest_leaf
    !> The cells; those below this one are added
    type(cell_list_t), intent(inout) :: list
    !> Which cell
    integer, intent(in) :: at
    !> What the keys still tell about it
    type(key_range_t), intent(in) :: range
    type(key_range_t) :: below
    integer :: child

    if (list%cells(at)%count <= leaf_capacity) then
      ! Three bits halve a cell along each axis.
      if (list%cells(at)%count == 1 .or. scale(range%box, -((key_bits - range%bits)/3)) <= widest_leaf) return
    end if
    below = range
    call halve(positions, keys, order, list, at, below)
    child = list%cells(at)%child
    call split_cell(positions, keys, order, widest_leaf, list, child, below)
    call split_cell(positions, keys, order, widest_leaf, list, child + 1, below)
  end subroutine split_cell

  !> Give a cell two children, by the first bit in which its keys differ.
  subroutine halve(positions, keys, order, list, at, range)
    !> Positions [kpc], shape (3, n)
    real(dp), intent(in) :: positions(:, :)
    !> Keys and order of the particles, shape (n); a cell finer than the keys gets new ones
    integer(i8), intent(inout) :: keys(:)
    integer(i4), intent(inout) :: order(:)
    !> The cells; the children are added
    type(cell_list_t), intent(inout) :: list
    !> Which cell
    integer, intent(in) :: at
    !> What the keys tell about it; afterwards, about its children
    type(key_range_t), intent(inout) :: range
    integer :: first, last, middle

    first = list%cells(at)%first
    last = first + list%cells(at)%count - 1
    do
      if (range%bits == 0) then
        call morton_keys(positions, order(first:last), 1, keys(first:last), range%box)
        call sort_by_key(1, key_bits, keys(first:last), order(first:last))
        range%bits = key_bits
      end if
      range%bits = range%bits - 1
      middle = first + zeros(keys(first:last), range%bits)
      if (middle > first .and. middle <= last) exit
    end do
    call make_room(list)
    list%cells(at)%child = list%count + 1
    list%cells(list%count + 1) = cell_t(first=first, count=middle - first)
    list%cells(list%count + 2) = cell_t(first=middle, count=last - middle + 1)
    list%count = list%count + 2
  end subroutine halve

  !> How many keys do not have a bit.
  pure function zeros(keys, bit) result(count)
    !> Rising keys that agree in all higher bits, shape (m)
    integer(i8), intent(in) :: keys(:)
    !> Place of the bit
    integer, intent(in) :: bit
    integer :: count
    integer :: high, middle

    count = 0
    high = size(keys)
    do while (count < high)
      middle = (count + high)/2
      if (btest(keys(middle + 1), bit)) then
        high = middle
      else
        count = middle + 1
      end if
    end do
  end function zeros

  subroutine make_room(list)
    !> The cells; there will be room for two more
    type(cell_list_t), intent(inout) :: list
    type(cell_t), allocatable :: larger(:)

    if (list%count + 2 <= size(list%cells)) return
    allocate (larger(2*size(list%cells)))
    larger(:list%count) = list%cells(:list%count)
    call move_alloc(larger, list%cells)
  end subroutine make_room

  !> One numbered list of all cells: the crown, then branch after branch.
  subroutine join_branches(crown, roots, branches, threads, tree)
    !> Cells above the branches, and the roots among them
    type(cell_list_t), intent(in) :: crown
    integer, intent(in) :: roots(:)
    !> The branches; the first cell of each is its root
    type(cell_list_t), intent(in) :: branches(:)
    !> Number of threads, at least 1
    integer, intent(in) :: threads
    !> The tree
    type(tree_t), intent(inout) :: tree
    integer :: i, k, shift, leaves

    allocate (tree%branches(0:size(roots)))
    tree%branches(0) = crown%count
    do i = 1, size(roots)
      tree%branches(i) = tree%branches(i - 1) + branches(i)%count - 1
    end do
    allocate (tree%cells(tree%branches(size(roots))))
    tree%cells(:crown%count) = crown%cells(:crown%count)
    !$omp parallel do schedule(dynamic) num_threads(threads) default(none) shared(tree, branches, roots) &
    !$omp& private(k, shift, leaves)
    do i = 1, size(roots)
      ! The root stays in the crown; the second cell of its list becomes the first of the branch.
      shift = tree%branches(i - 1) - 1
      ! A branch has one leaf more than it has cells with two children.
      leaves = sum((branches(:i - 1)%count + 1)/2)
      do k = 1, branches(i)%count
        associate (cell => tree%cells(merge(roots(i), shift + k, k == 1)))
          cell = branches(i)%cells(k)
          if (cell%child > 0) then
            cell%child = cell%child + shift
          else
            leaves = leaves + 1
            cell%child = -leaves
          end if
        end associate
      end do
    end do
    !$omp end parallel do
  end subroutine join_branches

  !> Bring centres, radii and multipoles up to date.
  subroutine refresh_tree(positions, masses, pulls, active, threads, tree)
    !> Positions [kpc], shape (3, n), in the order of the curve
    real(dp), intent(in) :: positions(:, :)
    !> Masses [1e10 Msun], shape (n)
    real(dp), intent(in) :: masses(:)
    !> Accelerations as they were before [(km/s)^2/kpc], shape (3, n)
    real(dp), intent(in) :: pulls(:, :)
    !> Whose acceleration is wanted, shape (n)
    logical(i1), intent(in) :: active(:)
    !> Number of threads, at least 1
    integer, intent(in) :: threads
    !> The tree
    type(tree_t), intent(inout) :: tree
    integer :: branch, i, branches

    call allocate_moments(tree)
    branches = ubound(tree%branches, 1)
    !$omp parallel do schedule(dynamic) num_threads(threads) default(none) &
    !$omp& shared(branches, positions, masses, pulls, active, tree) private(i)
    do branch = 1, branches
      do i = tree%branches(branch), tree%branches(branch - 1) + 1, -1
        call refresh_cell(positions, masses, pulls, active, tree, i)
      end do
    end do
    !$omp end parallel do
    do i = tree%branches(0), 1, -1
      call refresh_cell(positions, masses, pulls, active, tree, i)
    end do
  end subroutine refresh_tree

  subroutine allocate_moments(tree)
    !> The tree
    type(tree_t), intent(inout) :: tree

    if (allocated(tree%multipole)) return
    associate (cells => size(tree%cells))
      allocate (tree%least_pull(cells), tree%multipole(multipoles, cells))
      allocate (tree%particles(leaf_capacity, 4, (cells + 1)/2), source=0.0_sp)
    end associate
  end subroutine allocate_moments

  subroutine refresh_cell(positions, masses, pulls, active, tree, at)
    !> Positions [kpc], shape (3, n), in the order of the curve
    real(dp), intent(in) :: positions(:, :)
    !> Masses [1e10 Msun], shape (n)
    real(dp), intent(in) :: masses(:)
    !> Accelerations as they were before [(km/s)^2/kpc], shape (3, n)
    real(dp), intent(in) :: pulls(:, :)
    !> Whose acceleration is wanted, shape (n)
    logical(i1), intent(in) :: active(:)
    !> The tree; children are up to date
    type(tree_t), intent(inout) :: tree
    !> Which cell
    integer, intent(in) :: at

    associate (child => tree%cells(at)%child)
      if (child < 0) then
        call refresh_leaf(positions, masses, pulls, active, tree%cells(at), tree%particles(:, :, -child), &
                          tree%least_pull(at), tree%multipole(:, at))
      else
        tree%least_pull(at) = minval(tree%least_pull(child:child + 1))
        call refresh_node(positions, tree%cells(child:child + 1), tree%multipole(:, child:child + 1), tree%cells(at), &
                          tree%multipole(:, at))
      end if
    end associate
  end subroutine refresh_cell

  subroutine refresh_leaf(positions, masses, pulls, active, leaf, particles, least_pull, multipole)
    !> Positions [kpc], shape (3, n), in the order of the curve
    real(dp), intent(in) :: positions(:, :)
    !> Masses [1e10 Msun], shape (n)
    real(dp), intent(in) :: masses(:)
    !> Accelerations as they were before [(km/s)^2/kpc], shape (3, n)
    real(dp), intent(in) :: pulls(:, :)
    !> Whose acceleration is wanted, shape (n)
    logical(i1), intent(in) :: active(:)
    !> The leaf
    type(cell_t), intent(inout) :: leaf
    !> Offsets and masses of its particles
    real(sp), intent(inout) :: particles(leaf_capacity, 4)
    !> Smallest acceleration of its active particles [(km/s)^2/kpc]
    real(sp), intent(out) :: least_pull
    !> Its multipoles
    real(sp), intent(out) :: multipole(multipoles)
    real(dp) :: mass, moment(3), least
    integer :: i, k

    mass = 0; moment = 0; least = huge(least)
    leaf%active = 0
    do i = leaf%first, leaf%first + leaf%count - 1
      mass = mass + masses(i)
      moment = moment + masses(i)*positions(:, i)
      if (.not. active(i)) cycle
      leaf%active = leaf%active + 1
      least = min(least, sum(pulls(:, i)**2))
    end do
    least_pull = real(min(sqrt(least), real(huge(1.0_sp), dp)), sp)
    ! Particles without mass feel gravity, too.
    leaf%centre = merge(moment/max(mass, tiny(mass)), positions(:, leaf%first), mass > 0)
    leaf%gm = real(gravitational_constant*mass, sp)
    do k = 1, leaf%count
      i = leaf%first + k - 1
      particles(k, 1:3) = real(positions(:, i) - leaf%centre, sp)
      particles(k, 4) = real(gravitational_constant*masses(i), sp)
    end do
    leaf%radius = sqrt(maxval(sum(real(particles(:leaf%count, 1:3), dp)**2, 2)))
    leaf%inner_radius = -1
    call add_particles(leaf%count, particles, multipole)
  end subroutine refresh_leaf

  subroutine refresh_node(positions, children, child_multipoles, cell, multipole)
    !> Positions [kpc], shape (3, n), in the order of the curve
    real(dp), intent(in) :: positions(:, :)
    !> The cell's children
    type(cell_t), intent(in) :: children(2)
    !> Their multipoles
    real(sp), intent(in) :: child_multipoles(multipoles, 2)
    !> The cell
    type(cell_t), intent(inout) :: cell
    !> Its multipoles
    real(sp), intent(out) :: multipole(multipoles)
    real(dp) :: offset(3), radius2
    integer :: i

    cell%active = sum(children%active)
    cell%gm = sum(children%gm)
    cell%centre = children(1)%centre
    ! As a step from one centre towards the other, so that nothing depends on where the origin is.
    if (cell%gm > 0) cell%centre = cell%centre + children(2)%gm/(real(children(1)%gm, dp) + children(2)%gm)* &
                                   (children(2)%centre - children(1)%centre)
    multipole = 0
    cell%radius = 0
    do i = 1, 2
      offset = children(i)%centre - cell%centre
      cell%radius = max(cell%radius, norm2(offset) + children(i)%radius)
      call shift_multipole(child_multipoles(:, i), real(offset, sp), multipole)
    end do
    if (cell%count <= exact_radius) then
      radius2 = 0
      do i = cell%first, cell%first + cell%count - 1
        radius2 = max(radius2, sum((positions(:, i) - cell%centre)**2))
      end do
      cell%radius = sqrt(radius2)
    end if
    cell%inner_radius = cell%radius
  end subroutine refresh_node
end module galclass_tree
