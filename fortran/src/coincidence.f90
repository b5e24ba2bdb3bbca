!> Particles at exactly the same place, found with a hash table: open addressing, linear probing (Knuth 1998, The Art of
!> Computer Programming 3, section 6.4).
module galclass_coincidence
  use galclass_kinds, only: dp, i4, i8
  use galclass_checksum, only: checksum_t, add_reals
  implicit none
  private
  public :: find_coincidence

contains

  !> Two particles at one place.
  pure subroutine find_coincidence(positions, first, second)
    !> Positions [kpc], shape (3, n), finite
    real(dp), intent(in) :: positions(:, :)
    !> Their numbers; 0 if every particle has a place of its own
    integer, intent(out) :: first, second
    integer(i4), allocatable :: table(:)
    integer(i8) :: slot, last
    integer :: i

    first = 0
    second = 0
    ! At least half of the slots stay empty; their number is a power of two.
    last = shiftl(1_i8, digits(1_i8) + 2 - leadz(int(size(positions, 2), i8))) - 1
    allocate (table(0:last), source=0_i4)
    do i = 1, size(positions, 2)
      slot = iand(hash(positions(:, i)), last)
      do while (table(slot) > 0)
        if (all(abs(positions(:, table(slot)) - positions(:, i)) <= 0)) then
          first = table(slot)
          second = i
          return
        end if
        slot = iand(slot + 1, last)
      end do
      table(slot) = i
    end do
  end subroutine find_coincidence

  !> A number that scatters places.
  pure function hash(place) result(bits)
    !> Position [kpc]
    real(dp), intent(in) :: place(3)
    integer(i8) :: bits
    type(checksum_t) :: sum

    ! Twice, so that the high bits of the last word reach the low bits of the sum, too. Zero is added since minus zero is
    ! the same place, but not the same bits.
    call add_reals(sum, 6_i8, [place, place] + 0.0_dp)
    bits = ieor(sum%bits, shiftr(sum%bits, 32))
  end function hash
end module galclass_coincidence
