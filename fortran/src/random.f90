!> Random numbers that are the same on every machine: xoshiro256** (Blackman & Vigna 2021), its state filled from a
!> seed by splitmix64 (Steele et al. 2014). Fortran integers are signed and their overflow undefined, so sums and
!> products modulo 2^64 are made from 32-bit halves.
module galclass_random
  use galclass_kinds, only: dp, i8
  implicit none
  private
  public :: random_t, seeded, draw_uniform, draw_normal, draw_gamma

  type :: random_t
    !> 256 bits of state
    integer(i8) :: bits(4) = 0
  end type random_t

  integer(i8), parameter :: low_half = int(z'FFFFFFFF', i8)

contains

  !> A generator for a seed.
  pure function seeded(seed) result(generator)
    !> Any integer
    integer, intent(in) :: seed
    type(random_t) :: generator
    integer(i8) :: place, mixed
    integer :: i

    place = int(seed, i8)
    do i = 1, 4
      place = add(place, ior(ishft(int(z'9E3779B9', i8), 32), int(z'7F4A7C15', i8)))
      mixed = multiply(ieor(place, ishft(place, -30)), ior(ishft(int(z'BF58476D', i8), 32), int(z'1CE4E5B9', i8)))
      mixed = multiply(ieor(mixed, ishft(mixed, -27)), ior(ishft(int(z'94D049BB', i8), 32), int(z'133111EB', i8)))
      generator%bits(i) = ieor(mixed, ishft(mixed, -31))
    end do
  end function seeded

  !> A number between 0 and 1, neither of them possible.
  pure subroutine draw_uniform(generator, value)
    !> The generator, which moves on
    type(random_t), intent(inout) :: generator
    !> The number
    real(dp), intent(out) :: value
    integer(i8) :: bits, shifted

    associate (s => generator%bits)
      bits = multiply(ishftc(multiply(s(2), 5_i8), 7), 9_i8)
      shifted = ishft(s(2), 17)
      s(3) = ieor(s(3), s(1))
      s(4) = ieor(s(4), s(2))
      s(2) = ieor(s(2), s(3))
      s(1) = ieor(s(1), s(4))
      s(3) = ieor(s(3), shifted)
      s(4) = ishftc(s(4), 45)
    end associate
    ! The 52 highest bits and a half: 53 bits and a half would round up to 1.
    value = (real(ishft(bits, -12), dp) + 0.5_dp)*2.0_dp**(-52)
  end subroutine draw_uniform

  !> A number from the normal distribution of mean 0 and variance 1 (Box & Muller 1958).
  pure subroutine draw_normal(generator, value)
    !> The generator, which moves on
    type(random_t), intent(inout) :: generator
    !> The number
    real(dp), intent(out) :: value
    real(dp), parameter :: two_pi = 8*atan(1.0_dp)
    real(dp) :: first, second

    call draw_uniform(generator, first)
    call draw_uniform(generator, second)
    value = sqrt(-2*log(first))*cos(two_pi*second)
  end subroutine draw_normal

  !> A number from the gamma distribution of scale 1, by rejection (Marsaglia & Tsang 2000).
  pure subroutine draw_gamma(generator, shape, value)
    !> The generator, which moves on
    type(random_t), intent(inout) :: generator
    !> Shape of the distribution, at least 1
    real(dp), intent(in) :: shape
    !> The number
    real(dp), intent(out) :: value
    real(dp) :: d, normal, cube, uniform

    d = shape - 1.0_dp/3
    do
      call draw_normal(generator, normal)
      call draw_uniform(generator, uniform)
      cube = (1 + normal/sqrt(9*d))**3
      if (cube <= 0) cycle
      if (log(uniform) < 0.5_dp*normal**2 + d*(1 - cube + log(cube))) exit
    end do
    value = d*cube
  end subroutine draw_gamma

  !> Sum modulo 2^64.
  elemental function add(a, b) result(total)
    !> 64 bits each
    integer(i8), intent(in) :: a, b
    integer(i8) :: total
    integer(i8) :: low, high

    low = iand(a, low_half) + iand(b, low_half)
    high = ishft(a, -32) + ishft(b, -32) + ishft(low, -32)
    total = ior(ishft(high, 32), iand(low, low_half))
  end function add

  !> Product modulo 2^64, from products of 32 bits by 16 bits, which fit.
  elemental function multiply(a, b) result(product)
    !> 64 bits each
    integer(i8), intent(in) :: a, b
    integer(i8) :: product
    integer(i8) :: part
    integer :: i

    product = 0
    do i = 0, 3
      part = ibits(b, 16*i, 16)
      product = add(product, ishft(iand(a, low_half)*part, 16*i))
      product = add(product, ishft(ishft(ishft(a, -32)*part, 32), 16*i))
    end do
  end function multiply
end module galclass_random
