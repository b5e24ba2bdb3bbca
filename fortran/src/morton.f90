!> Morton order (Morton 1966): a curve through space, so that particles near each other in space lie near each other in
!> memory, and the particles of any cell of a tree are neighbours in the list.
module galclass_morton
  use galclass_kinds, only: dp, i4, i8
  implicit none
  private
  public :: key_bits, morton_keys

  !> Places along an axis that a key tells apart: 2**axis_bits. Few bits sort fast; what lies closer gets its own keys.
  integer, parameter :: axis_bits = 16
  !> Bits of a key.
  integer, parameter :: key_bits = 3*axis_bits

contains

  !> Keys of particles: bits 3k+2, 3k+1, 3k are bits k of their places along x, y, z in the box of them all.
  !> Particles that all lie at one point, or in a box whose size is no normal number, get keys by their place.
  subroutine morton_keys(positions, order, threads, keys, extent)
    !> Positions of all particles [kpc], shape (3, n)
    real(dp), intent(in) :: positions(:, :)
    !> Which of them get keys, shape (m)
    integer(i4), intent(in) :: order(:)
    !> Number of threads, at least 1
    integer, intent(in) :: threads
    !> Keys, shape (m)
    integer(i8), intent(out) :: keys(:)
    !> Longest side of their box [kpc]
    real(dp), intent(out) :: extent
    real(dp) :: low(3), high(3), scale
    integer(i8) :: cell(3)
    integer :: i

    low = positions(:, order(1))
    high = low
    !$omp parallel do num_threads(threads) reduction(min: low) reduction(max: high) default(none) &
    !$omp& shared(positions, order)
    do i = 1, size(order)
      low = min(low, positions(:, order(i)))
      high = max(high, positions(:, order(i)))
    end do
    !$omp end parallel do
    extent = maxval(high - low)
    if (.not. (extent > 2.0_dp**axis_bits*tiny(extent) .and. extent <= huge(extent))) then
      keys = [(i*(2_i8**key_bits/(size(keys) + 1_i8)), i=1, size(keys))]
      return
    end if
    scale = (2.0_dp**axis_bits)*(1 - 2*epsilon(scale))/extent
    !$omp parallel do num_threads(threads) default(none) shared(positions, order, keys, low, scale) private(cell)
    do i = 1, size(order)
      cell = int((positions(:, order(i)) - low)*scale, i8)
      keys(i) = ior(ior(shiftl(spread_bits(cell(1)), 2), shiftl(spread_bits(cell(2)), 1)), spread_bits(cell(3)))
    end do
    !$omp end parallel do
  end subroutine morton_keys

  !> The bits of a number, with two empty bits before each.
  elemental function spread_bits(number) result(spread)
    !> A number from 0 to 2^21 - 1, as large as 63 bits allow
    integer(i8), intent(in) :: number
    integer(i8) :: spread

    spread = iand(ior(number, shiftl(number, 32)), int(z'001F00000000FFFF', i8))
    spread = iand(ior(spread, shiftl(spread, 16)), int(z'001F0000FF0000FF', i8))
    spread = iand(ior(spread, shiftl(spread, 8)), int(z'100F00F00F00F00F', i8))
    spread = iand(ior(spread, shiftl(spread, 4)), int(z'10C30C30C30C30C3', i8))
    spread = iand(ior(spread, shiftl(spread, 2)), int(z'1249249249249249', i8))
  end function spread_bits
end module galclass_morton
