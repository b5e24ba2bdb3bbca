!> Radix sort of keys with the list they belong to. It is stable, so the result depends on nothing but the keys.
module galclass_radix_sort
  use galclass_kinds, only: i4, i8
  implicit none
  private
  public :: sort_by_key

  !> Bits of a digit; its 4096 counters fit the first cache.
  integer, parameter :: digit_bits = 12, digits = 2**digit_bits
  !> Lists up to this length are sorted by insertion.
  integer, parameter :: short = 64

contains

  !> Sort keys, and the list in step with them.
  subroutine sort_by_key(threads, bits, keys, list)
    !> Number of threads, at least 1
    integer, intent(in) :: threads
    !> Bits of the keys
    integer, intent(in) :: bits
    !> Keys from 0 to 2^bits - 1, shape (n); rising afterwards
    integer(i8), contiguous, intent(inout) :: keys(:)
    !> What the keys belong to, shape (n)
    integer(i4), contiguous, intent(inout) :: list(:)
    integer(i8), allocatable :: other_keys(:)
    integer(i4), allocatable :: other_list(:)
    integer :: shift
    logical :: away

    if (size(keys) <= short) then
      call sort_by_insertion(keys, list)
      return
    end if
    allocate (other_keys(size(keys)), other_list(size(keys)))
    away = .false.
    do shift = 0, bits - 1, digit_bits
      if (away) then
        call sort_digit(shift, threads, other_keys, other_list, keys, list, away)
      else
        call sort_digit(shift, threads, keys, list, other_keys, other_list, away)
      end if
    end do
    if (away) then
      keys(:) = other_keys
      list(:) = other_list
    end if
  end subroutine sort_by_key

  pure subroutine sort_by_insertion(keys, list)
    !> Keys and list, shape (n)
    integer(i8), contiguous, intent(inout) :: keys(:)
    integer(i4), contiguous, intent(inout) :: list(:)
    integer(i8) :: key
    integer(i4) :: item
    integer :: i, k

    do i = 2, size(keys)
      key = keys(i)
      item = list(i)
      k = i - 1
      do while (k > 0)
        if (keys(k) <= key) exit
        keys(k + 1) = keys(k)
        list(k + 1) = list(k)
        k = k - 1
      end do
      keys(k + 1) = key
      list(k + 1) = item
    end do
  end subroutine sort_by_insertion

  !> Sort by one digit, from one pair of arrays into another; nothing moves if all have the same digit.
  subroutine sort_digit(shift, parts, keys, list, new_keys, new_list, away)
    !> Bits below the digit
    integer, intent(in) :: shift
    !> Parts of the list that are counted and moved side by side, a thread each
    integer, intent(in) :: parts
    !> Keys and list, shape (n)
    integer(i8), contiguous, intent(in) :: keys(:)
    integer(i4), contiguous, intent(in) :: list(:)
    !> Room for the result, shape (n)
    integer(i8), contiguous, intent(inout) :: new_keys(:)
    integer(i4), contiguous, intent(inout) :: new_list(:)
    !> Turned over if the keys moved
    logical, intent(inout) :: away
    integer :: place(0:digits - 1, parts), bounds(0:parts), part

    bounds = [(int(part*int(size(keys), i8)/parts), part=0, parts)]
    !$omp parallel do num_threads(parts) default(none) shared(parts, bounds, shift, keys, place)
    do part = 1, parts
      call count_digits(shift, keys(bounds(part - 1) + 1:bounds(part)), place(:, part))
    end do
    !$omp end parallel do
    if (any(sum(place, 2) == size(keys))) return
    call counts_to_places(place)
    !$omp parallel do num_threads(parts) default(none) &
    !$omp& shared(parts, bounds, shift, keys, list, place, new_keys, new_list)
    do part = 1, parts
      call move_digits(shift, keys(bounds(part - 1) + 1:bounds(part)), list(bounds(part - 1) + 1:bounds(part)), &
                       place(:, part), new_keys, new_list)
    end do
    !$omp end parallel do
    away = .not. away
  end subroutine sort_digit

  pure subroutine count_digits(shift, keys, counts)
    !> Bits below the digit
    integer, intent(in) :: shift
    !> Keys of a part
    integer(i8), contiguous, intent(in) :: keys(:)
    !> How many have each digit
    integer, intent(out) :: counts(0:digits - 1)
    integer :: i, digit

    counts = 0
    do i = 1, size(keys)
      digit = int(ibits(keys(i), shift, digit_bits))
      counts(digit) = counts(digit) + 1
    end do
  end subroutine count_digits

  !> Turn counts into the places where the first key of each digit and part goes.
  pure subroutine counts_to_places(place)
    !> Counts, then places, shape (digits, parts)
    integer, intent(inout) :: place(0:, :)
    integer :: next, count, digit, part

    next = 1
    do digit = 0, digits - 1
      do part = 1, size(place, 2)
        count = place(digit, part)
        place(digit, part) = next
        next = next + count
      end do
    end do
  end subroutine counts_to_places

  pure subroutine move_digits(shift, keys, list, place, new_keys, new_list)
    !> Bits below the digit
    integer, intent(in) :: shift
    !> Keys and list of a part
    integer(i8), contiguous, intent(in) :: keys(:)
    integer(i4), contiguous, intent(in) :: list(:)
    !> Where the next key of each digit goes
    integer, intent(inout) :: place(0:digits - 1)
    !> The whole arrays
    integer(i8), contiguous, intent(inout) :: new_keys(:)
    integer(i4), contiguous, intent(inout) :: new_list(:)
    integer :: i, digit

    do i = 1, size(keys)
      digit = int(ibits(keys(i), shift, digit_bits))
      new_keys(place(digit)) = keys(i)
      new_list(place(digit)) = list(i)
      place(digit) = place(digit) + 1
    end do
  end subroutine move_digits
end module galclass_radix_sort
