!> Gravity by a fast multipole method: cells far from each other meet as multipole and local expansion, neighbours
!> particle by particle (Dehnen 2002, J. Comput. Phys. 179, 27; Dehnen 2014, Comput. Astrophys. Cosmol. 1, 1).
!>
!> The walk goes down the tree of the targets. A cell takes the sources that its parent could not decide: each is
!> accepted into its local expansion, opened, or left to its children; at a leaf what is left is summed pair by pair.
!> Nothing is shared between branches of the target tree, so threads need no locks, and any number of them gives the
!> same bits.
!>
!> Expansions are in real32. So that high powers of lengths neither overflow nor vanish, each target cell has a unit of
!> length of its own, a power of two near its radius or the softening length; sums are otherwise the same in any unit.
module galclass_tree_gravity
  use galclass_kinds, only: sp, dp, i1, i4, i8
  use galclass_expansion, only: multipoles, locals, multipole_order, local_order, add_cells, shift_local, evaluate_local
  use galclass_pair_kernels, only: add_pull
  use galclass_tree, only: cell_t, tree_t, leaf_capacity, vector_length
  implicit none
  private
  public :: opening_t, effort_t, tree_accelerations

  !> When two cells are far enough from each other.
  type :: opening_t
    !> Square of the largest sum of their radii over their distance
    real(dp) :: angle2 = 0
    !> Largest error of one pair of cells over the smallest acceleration in the target (huge: only the angle counts)
    real(dp) :: accuracy = 0
    !> Softening length [kpc]
    real(dp) :: softening = 0
    !> Smallest unit of length of an expansion [kpc]; set by tree_accelerations
    real(dp) :: smallest_unit = 0
  end type opening_t

  !> Pairs of cells that are summed in one go, and source particles: both fit the first cache.
  integer, parameter :: cell_run = 128, particle_run = 1024

  !> Most particles of a group of targets, which walk together: many share the tests, few have less to sum pair by pair.
  integer, parameter :: group_capacity = 2*leaf_capacity
  !> A group wider than this share of its distance from the bulk of the mass is split, in the end into single particles.
  real(sp), parameter :: thin_angle = 0.2_sp

  !> How much work a walk was.
  type :: effort_t
    !> Pairs of cells looked at, pairs of cells summed, pairs of particles summed
    integer(i8) :: tests = 0, cells = 0, particles = 0
  end type effort_t

  !> What a thread works with.
  type :: workspace_t
    !> Work done
    type(effort_t) :: effort
    !> Sources that the cells above left to their children, cell after cell
    integer(i4), allocatable :: undecided(:)
    !> Sources of one target to be looked at, and those that it accepts
    integer(i4), allocatable :: queue(:), accepted(:)
    !> Accepted sources: the target's centre relative to theirs, and their multipoles, in the target's unit of length
    real(sp) :: cell_offsets(cell_run, 3) = 0
    real(sp) :: cell_multipoles(cell_run, multipoles) = 0
    !> Source particles: positions relative to the target's centre [kpc] and G times mass, and how many there are
    real(sp) :: sources(particle_run + leaf_capacity, 4) = 0
    integer :: particles = 0
    !> Active particles of the target: index, and position relative to its centre [kpc]
    integer(i4) :: targets(group_capacity) = 0
    real(sp) :: target_offsets(group_capacity, 3) = 0
    !> Their own places among the source particles; 0 for one that is not there
    integer :: own(group_capacity) = 0
    integer :: target_count = 0
    !> Pull of the source particles so far: acceleration and minus the potential
    real(sp) :: near(4, group_capacity) = 0
  end type workspace_t

  !> A local expansion in a unit of length of its own.
  type :: local_t
    !> Coefficients: derivatives of minus the potential [(km/s)^2 kpc/unit, and so on]
    real(sp) :: terms(locals) = 0
    !> The unit is 2**power kpc
    integer :: power = 0
  end type local_t

  !> A branch of the target tree that waits for its thread.
  type :: job_t
    !> Its root
    integer :: root = 0
    !> Local expansion there
    type(local_t) :: local
    !> Undecided sources
    integer(i4), allocatable :: sources(:)
  end type job_t

contains

  !> Accelerations and potentials of the active particles.
  subroutine tree_accelerations(tree, criterion, active, threads, acceleration, potential, effort)
    !> Tree with fresh moments
    type(tree_t), intent(in) :: tree
    !> When cells are accepted
    type(opening_t), intent(in) :: criterion
    !> Whose acceleration is wanted, shape (n), in the order of the curve
    logical(i1), intent(in) :: active(:)
    !> Number of threads, at least 1
    integer, intent(in) :: threads
    !> Accelerations [(km/s)^2/kpc], shape (3, n); those of the others are left alone
    real(dp), intent(inout) :: acceleration(:, :)
    !> Potentials [(km/s)^2], shape (n); those of the others are left alone
    real(dp), intent(inout) :: potential(:)
    !> How much work it was
    type(effort_t), intent(out) :: effort
    type(job_t), allocatable :: jobs(:)
    type(workspace_t), allocatable :: work
    type(opening_t) :: opening
    type(local_t) :: start
    integer :: i, job_count

    opening = criterion
    ! A distance of 1e8 units, the widest there is then, has a fourth power within real32.
    opening%smallest_unit = max(opening%softening, 1.0e-8_dp*tree%cells(1)%radius)
    allocate (jobs(ubound(tree%branches, 1)))
    job_count = 0
    call start_work(tree, work)
    work%undecided(1) = 1
    start%power = exponent(max(tree%cells(1)%radius, opening%smallest_unit))
    call walk_crown(tree, opening, 1, start, 1, 1, work, jobs, job_count)
    effort = work%effort
    deallocate (work)
    !$omp parallel num_threads(threads) default(none) &
    !$omp& shared(tree, opening, active, jobs, job_count, acceleration, potential, effort) private(work)
    call start_work(tree, work)
    !$omp do schedule(dynamic)
    do i = 1, job_count
      associate (job => jobs(i), sources => size(jobs(i)%sources))
        call reserve(work%undecided, sources)
        work%undecided(:sources) = job%sources
        call walk(tree, opening, active, job%root, job%local, 1, sources, work, acceleration, potential)
      end associate
    end do
    !$omp end do
    !$omp critical
    effort%tests = effort%tests + work%effort%tests
    effort%cells = effort%cells + work%effort%cells
    effort%particles = effort%particles + work%effort%particles
    !$omp end critical
    deallocate (work)
    !$omp end parallel
  end subroutine tree_accelerations

  subroutine start_work(tree, work)
    !> The tree
    type(tree_t), intent(in) :: tree
    !> Room for a walk
    type(workspace_t), allocatable, intent(inout) :: work

    allocate (work)
    ! A target has no more sources than there are cells; a test may write two entries in vain.
    associate (most => size(tree%cells) + 2)
      allocate (work%undecided(most), work%queue(most), work%accepted(most))
    end associate
  end subroutine start_work

  !> The top of the target tree: it ends in jobs.
  recursive subroutine walk_crown(tree, opening, at, above, from, to, work, jobs, job_count)
    !> The tree
    type(tree_t), intent(in) :: tree
    !> When cells are accepted
    type(opening_t), intent(in) :: opening
    !> The target cell
    integer, intent(in) :: at
    !> Its local expansion from the cells above
    type(local_t), intent(in) :: above
    !> The undecided sources are work%undecided(from:to)
    integer, intent(in) :: from, to
    !> Room
    type(workspace_t), intent(inout) :: work
    !> The jobs so far
    type(job_t), intent(inout) :: jobs(:)
    integer, intent(inout) :: job_count
    type(local_t) :: local
    integer :: child, i, last

    if (tree%cells(at)%active == 0) return
    child = tree%cells(at)%child
    if (child < 0 .or. child > tree%branches(0)) then
      job_count = job_count + 1
      jobs(job_count) = job_t(at, above, work%undecided(from:to))
      return
    end if
    local = above
    call take_sources(tree, opening, tree%cells(at), .false., tree%least_pull(at), from, to, local, work, last)
    do i = child, child + 1
      call walk_crown(tree, opening, i, passed_down(local, tree%cells(at), tree%cells(i), opening%smallest_unit), &
                      to + 1, last, work, jobs, job_count)
    end do
  end subroutine walk_crown

  !> A branch of the target tree, down to its leaves.
  recursive subroutine walk(tree, opening, active, at, above, from, to, work, acceleration, potential)
    !> The tree
    type(tree_t), intent(in) :: tree
    !> When cells are accepted
    type(opening_t), intent(in) :: opening
    !> Whose acceleration is wanted, shape (n)
    logical(i1), intent(in) :: active(:)
    !> The target cell
    integer, intent(in) :: at
    !> Its local expansion from the cells above
    type(local_t), intent(in) :: above
    !> The undecided sources are work%undecided(from:to)
    integer, intent(in) :: from, to
    !> Room
    type(workspace_t), intent(inout) :: work
    !> Accelerations [(km/s)^2/kpc], shape (3, n), and potentials [(km/s)^2], shape (n)
    real(dp), intent(inout) :: acceleration(:, :), potential(:)
    type(local_t) :: local
    integer :: last, i

    associate (cell => tree%cells(at))
      if (cell%active == 0) return
      if (cell%count <= group_capacity .and. .not. is_thin(cell, tree%least_pull(at), tree%cells(1)%gm)) then
        call start_targets(work)
        call add_targets(tree, active, at, cell, work)
        call pull_targets(tree, opening, cell, tree%least_pull(at), above, from, to, work, acceleration, potential)
      else if (cell%child > 0) then
        local = above
        call take_sources(tree, opening, cell, .false., tree%least_pull(at), from, to, local, work, last)
        do i = cell%child, cell%child + 1
          call walk(tree, opening, active, i, passed_down(local, cell, tree%cells(i), opening%smallest_unit), &
                    to + 1, last, work, acceleration, potential)
        end do
      else
        do i = cell%first, cell%first + cell%count - 1
          if (.not. active(i)) cycle
          associate (particle => single_particle(tree, cell, i))
            call start_targets(work)
            call add_target(i, [0.0_sp, 0.0_sp, 0.0_sp], work)
            call pull_targets(tree, opening, particle, real(norm2(acceleration(:, i)), sp), &
                              passed_down(above, cell, particle, opening%smallest_unit), from, to, work, &
                              acceleration, potential)
          end associate
        end do
      end if
    end associate
  end subroutine walk

  !> Whether a cell is so wide, for its distance from the bulk of the mass, that the errors of its far sources add up.
  pure function is_thin(cell, least_pull, gm)
    !> The cell
    type(cell_t), intent(in) :: cell
    !> Smallest acceleration of its active particles [(km/s)^2/kpc]
    real(sp), intent(in) :: least_pull
    !> G times all mass [kpc (km/s)^2]
    real(sp), intent(in) :: gm
    logical :: is_thin

    ! The distance of the bulk is about sqrt(gm/pull).
    is_thin = cell%radius**2*least_pull > thin_angle**2*gm
  end function is_thin

  !> A particle as a leaf of its own.
  pure function single_particle(tree, leaf, i) result(particle)
    !> The tree
    type(tree_t), intent(in) :: tree
    !> The particle's leaf
    type(cell_t), intent(in) :: leaf
    !> Its index
    integer, intent(in) :: i
    type(cell_t) :: particle

    associate (place => i - leaf%first + 1)
      particle = cell_t(centre=leaf%centre + tree%particles(place, 1:3, -leaf%child), first=i, count=1)
    end associate
  end function single_particle

  !> The forces on the targets of a group.
  subroutine pull_targets(tree, opening, group, least_pull, above, from, to, work, acceleration, potential)
    !> The tree
    type(tree_t), intent(in) :: tree
    !> When cells are accepted
    type(opening_t), intent(in) :: opening
    !> The group; its targets are in work
    type(cell_t), intent(in) :: group
    !> Smallest acceleration of its active particles [(km/s)^2/kpc]
    real(sp), intent(in) :: least_pull
    !> Its local expansion from the cells above
    type(local_t), intent(in) :: above
    !> The undecided sources are work%undecided(from:to)
    integer, intent(in) :: from, to
    !> Room
    type(workspace_t), intent(inout) :: work
    !> Accelerations [(km/s)^2/kpc], shape (3, n), and potentials [(km/s)^2], shape (n)
    real(dp), intent(inout) :: acceleration(:, :), potential(:)
    type(local_t) :: local
    integer :: last, i

    local = above
    call take_sources(tree, opening, group, .true., least_pull, from, to, local, work, last)
    do i = to + 1, last
      call take_particles(tree, opening, tree%cells(work%undecided(i)), group, work)
    end do
    call sum_particles(opening, work)
    call add_up(local, work, acceleration, potential)
  end subroutine pull_targets

  !> The local expansion of a child from its parent's.
  pure function passed_down(parent_local, parent, child, smallest_unit) result(local)
    !> Local expansion of the parent
    type(local_t), intent(in) :: parent_local
    !> The cells
    type(cell_t), intent(in) :: parent, child
    !> Smallest unit of length [kpc]
    real(dp), intent(in) :: smallest_unit
    type(local_t) :: local
    real(sp) :: offset(3)
    integer :: i, change

    offset = real(scale(child%centre - parent%centre, -parent_local%power), sp)
    call shift_local(parent_local%terms, offset, local%terms)
    local%power = parent_local%power
    change = exponent(max(child%radius, smallest_unit)) - local%power
    if (change == 0) return
    do i = 1, locals
      local%terms(i) = scale(local%terms(i), change*(local_order(i) + 1))
    end do
    local%power = local%power + change
  end function passed_down

  !> Take the sources of a target cell: accept them into its local expansion, open them, or leave them.
  subroutine take_sources(tree, opening, target, is_last, least_pull, from, to, local, work, last)
    !> The tree
    type(tree_t), intent(in) :: tree
    !> When cells are accepted
    type(opening_t), intent(in) :: opening
    !> The target
    type(cell_t), intent(in) :: target
    !> Whether it is a group, so that nothing can be left to children
    logical, intent(in) :: is_last
    !> Smallest acceleration of its active particles [(km/s)^2/kpc]
    real(sp), intent(in) :: least_pull
    !> The undecided sources are work%undecided(from:to)
    integer, intent(in) :: from, to
    !> The target's local expansion; what is accepted is added
    type(local_t), intent(inout) :: local
    !> Room; what is left is in work%undecided(to + 1:last): sources for the children, or leaves near a group
    type(workspace_t), intent(inout) :: work
    integer, intent(out) :: last
    real(dp) :: threshold, open_above
    integer :: tests, accepted

    call reserve(work%undecided, to + size(tree%cells) + 2)
    threshold = huge(threshold)
    if (opening%accuracy < huge(threshold)) threshold = opening%accuracy*least_pull
    ! A group opens all it can; another target only what is larger than itself.
    open_above = merge(-0.5_dp, target%radius, is_last)
    call decide(tree%cells, target, opening%angle2, threshold, open_above, to - from + 1, work%undecided(from), &
                work%queue, work%accepted, accepted, work%undecided(to + 1), last, tests)
    last = to + last
    call sum_cells(tree, opening, target, work%accepted(:accepted), local, work)
    work%effort%tests = work%effort%tests + tests
    work%effort%cells = work%effort%cells + accepted
  end subroutine take_sources

  !> Decide about the sources of a target.
  !>
  !> There are no branches in the loop, for the processor could not foresee them: each source is written to the end of
  !> every list, and the list that it belongs to grows.
  subroutine decide(cells, target, angle2, threshold, open_above, count, sources, queue, accepted, accepted_count, &
                    left, left_count, tests)
    !> The cells
    type(cell_t), intent(in) :: cells(*)
    !> The target
    type(cell_t), intent(in) :: target
    !> Square of the largest sum of radii over distance
    real(dp), intent(in) :: angle2
    !> Largest acceleration that an accepted source may miss [(km/s)^2/kpc]
    real(dp), intent(in) :: threshold
    !> A source that is not far is opened if its inner radius is larger than this [kpc]
    real(dp), intent(in) :: open_above
    !> Number of undecided sources, and these
    integer(i4), intent(in) :: count, sources(*)
    !> Room for sources that wait
    integer(i4), intent(inout) :: queue(*)
    !> Accepted sources, and their number
    integer(i4), intent(inout) :: accepted(*), accepted_count
    !> Sources left, and their number
    integer(i4), intent(inout) :: left(*), left_count
    !> How many were looked at
    integer(i4), intent(out) :: tests
    real(dp) :: offset(3), radius, small, distance2, radii2
    integer(i4) :: tail, source, far, opened

    radius = target%radius
    accepted_count = 0
    left_count = 0
    tests = 0
    tail = count
    queue(1:tail) = sources(1:tail)
    do while (tests < tail)
      tests = tests + 1
      source = queue(tests)
      offset = target%centre - cells(source)%centre
      distance2 = offset(1)*offset(1) + offset(2)*offset(2) + offset(3)*offset(3)
      radii2 = (radius + cells(source)%radius)**2
      ! Sources smaller than the target come in numbers, from one side, and with errors alike: each may make less.
      small = max(cells(source)%radius, 0.125_dp*radius)
      far = iand(merge(1_i4, 0_i4, radii2 < angle2*distance2), &
                 merge(1_i4, 0_i4, cells(source)%gm*(radii2*radii2)*max(radius, small) <= &
                       threshold*distance2*(distance2*distance2)*small))
      opened = iand(1_i4 - far, merge(1_i4, 0_i4, cells(source)%inner_radius > open_above))
      queue(tail + 1) = cells(source)%child
      queue(tail + 2) = cells(source)%child + 1
      tail = tail + 2*opened
      accepted(accepted_count + 1) = source
      accepted_count = accepted_count + far
      left(left_count + 1) = source
      left_count = left_count + 1 - far - opened
    end do
  end subroutine decide

  !> Add the pull of accepted sources to the local expansion of a target.
  subroutine sum_cells(tree, opening, target, accepted, local, work)
    !> The tree
    type(tree_t), intent(in) :: tree
    !> Softening
    type(opening_t), intent(in) :: opening
    !> The target
    type(cell_t), intent(in) :: target
    !> The sources
    integer(i4), intent(in) :: accepted(:)
    !> The target's local expansion
    type(local_t), intent(inout) :: local
    !> Room
    type(workspace_t), intent(inout) :: work
    real(dp) :: per_unit
    real(sp) :: factors(multipoles), softening2
    integer :: first, count, i

    if (size(accepted) == 0) return
    per_unit = scale(1.0_dp, -local%power)
    factors = real(per_unit**multipole_order, sp)
    softening2 = real(opening%softening*per_unit, sp)**2
    do first = 1, size(accepted), cell_run
      count = min(cell_run, size(accepted) - first + 1)
      do i = 1, count
        associate (source => accepted(first + i - 1))
          work%cell_offsets(i, :) = real((target%centre - tree%cells(source)%centre)*per_unit, sp)
          work%cell_multipoles(i, :) = tree%multipole(:, source)*factors
        end associate
      end do
      do while (mod(count, vector_length) /= 0)
        count = count + 1
        work%cell_offsets(count, :) = work%cell_offsets(1, :)
        work%cell_multipoles(count, :) = 0
      end do
      call add_cells(count, work%cell_offsets, work%cell_multipoles, softening2, local%terms)
    end do
  end subroutine sum_cells

  !> No targets yet.
  subroutine start_targets(work)
    !> Room
    type(workspace_t), intent(inout) :: work

    work%target_count = 0
    work%own = 0
  end subroutine start_targets

  !> Add the active particles of the leaves below a cell to the targets of a group.
  recursive subroutine add_targets(tree, active, at, group, work)
    !> The tree
    type(tree_t), intent(in) :: tree
    !> Whose acceleration is wanted, shape (n)
    logical(i1), intent(in) :: active(:)
    !> The cell
    integer, intent(in) :: at
    !> The group
    type(cell_t), intent(in) :: group
    !> Room
    type(workspace_t), intent(inout) :: work
    real(sp) :: offset(3)
    integer :: i

    associate (cell => tree%cells(at))
      if (cell%child > 0) then
        call add_targets(tree, active, cell%child, group, work)
        call add_targets(tree, active, cell%child + 1, group, work)
        return
      end if
      offset = real(cell%centre - group%centre, sp)
      do i = 1, cell%count
        if (.not. active(cell%first + i - 1)) cycle
        call add_target(cell%first + i - 1, tree%particles(i, 1:3, -cell%child) + offset, work)
      end do
    end associate
  end subroutine add_targets

  subroutine add_target(i, offset, work)
    !> Index of the particle
    integer, intent(in) :: i
    !> Its position relative to the centre of the group [kpc]
    real(sp), intent(in) :: offset(3)
    !> Room
    type(workspace_t), intent(inout) :: work

    work%target_count = work%target_count + 1
    work%targets(work%target_count) = i
    work%target_offsets(work%target_count, :) = offset
    work%near(:, work%target_count) = 0
  end subroutine add_target

  !> A source leaf whose particles will pull the targets.
  subroutine take_particles(tree, opening, leaf, group, work)
    !> The tree
    type(tree_t), intent(in) :: tree
    !> Softening
    type(opening_t), intent(in) :: opening
    !> The source leaf and the group of targets
    type(cell_t), intent(in) :: leaf, group
    !> Room
    type(workspace_t), intent(inout) :: work
    real(sp) :: offset(4)
    integer :: i, column

    if (work%particles + leaf%count > particle_run) call sum_particles(opening, work)
    if (leaf%first >= group%first - leaf%count .and. leaf%first < group%first + group%count) then
      do i = 1, work%target_count
        associate (place => work%targets(i) - leaf%first + 1)
          if (place >= 1 .and. place <= leaf%count) work%own(i) = work%particles + place
        end associate
      end do
    end if
    offset(1:3) = real(leaf%centre - group%centre, sp)
    offset(4) = 0
    ! The whole block, so that the loop needs no branch; what is too much is overwritten by the next.
    do column = 1, 4
      !$omp simd
      do i = 1, leaf_capacity
        work%sources(work%particles + i, column) = tree%particles(i, column, -leaf%child) + offset(column)
      end do
    end do
    work%particles = work%particles + leaf%count
  end subroutine take_particles

  subroutine sum_particles(opening, work)
    !> Softening
    type(opening_t), intent(in) :: opening
    !> Room; its source particles are done with
    type(workspace_t), intent(inout) :: work
    real(sp) :: own_gm
    integer :: k, n, own

    n = vector_length*((work%particles + vector_length - 1)/vector_length)
    work%sources(work%particles + 1:n, :) = 0
    do k = 1, work%target_count
      ! A particle does not pull itself.
      own = max(1, work%own(k))
      own_gm = work%sources(own, 4)
      if (work%own(k) > 0) work%sources(own, 4) = 0
      call add_pull(work%sources(:n, 1), work%sources(:n, 2), work%sources(:n, 3), work%sources(:n, 4), &
                    work%target_offsets(k, :), real(opening%softening, sp)**2, work%near(:, k))
      work%sources(own, 4) = own_gm
    end do
    work%own = 0
    work%effort%particles = work%effort%particles + int(work%particles, i8)*work%target_count
    work%particles = 0
  end subroutine sum_particles

  !> Add up what pulls the targets.
  subroutine add_up(local, work, acceleration, potential)
    !> The group's local expansion
    type(local_t), intent(in) :: local
    !> Room
    type(workspace_t), intent(inout) :: work
    !> Accelerations [(km/s)^2/kpc], shape (3, n), and potentials [(km/s)^2], shape (n)
    real(dp), intent(inout) :: acceleration(:, :), potential(:)
    real(dp) :: per_unit
    real(sp) :: far(group_capacity, 4)
    integer :: k

    per_unit = scale(1.0_dp, -local%power)
    work%target_offsets(:work%target_count, :) = work%target_offsets(:work%target_count, :)*real(per_unit, sp)
    call evaluate_local(local%terms, work%target_count, work%target_offsets, far)
    do k = 1, work%target_count
      associate (i => work%targets(k))
        acceleration(:, i) = work%near(1:3, k) + far(k, 1:3)*per_unit**2
        potential(i) = -work%near(4, k) - far(k, 4)*per_unit
      end associate
    end do
  end subroutine add_up

  !> Make a list long enough, keeping what it holds.
  pure subroutine reserve(list, length)
    !> The list
    integer(i4), allocatable, intent(inout) :: list(:)
    !> Smallest length wanted
    integer, intent(in) :: length
    integer(i4), allocatable :: longer(:)

    if (length <= size(list)) return
    allocate (longer(2*length))
    longer(:size(list)) = list
    call move_alloc(longer, list)
  end subroutine reserve
end module galclass_tree_gravity
