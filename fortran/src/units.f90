!> Units of the code: kpc, km/s and 1e10 solar masses (the usual ones of GADGET).
!> The unit of time follows: kpc/(km/s) = 0.978 Gyr.
module galclass_units
  use galclass_kinds, only: dp
  implicit none
  private
  public :: gravitational_constant

  !> Newton's constant [kpc (km/s)^2 / (1e10 Msun)]; the value GADGET uses (Springel 2005).
  real(dp), parameter :: gravitational_constant = 43007.1_dp
end module galclass_units
