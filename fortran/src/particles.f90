!> The particles of a snapshot.
module galclass_particles
  use galclass_kinds, only: dp, i4, i8
  implicit none
  private
  public :: particles_t, type_gas, type_halo, type_disc, type_bulge, type_stars

  !> GADGET's particle types.
  integer(i4), parameter :: type_gas = 0, type_halo = 1, type_disc = 2, type_bulge = 3, type_stars = 4

  type :: particles_t
    !> Time [kpc/(km/s)]
    real(dp) :: time = 0
    !> Positions [kpc], shape (3, n)
    real(dp), allocatable :: positions(:, :)
    !> Velocities [km/s], shape (3, n)
    real(dp), allocatable :: velocities(:, :)
    !> Masses [1e10 Msun], shape (n)
    real(dp), allocatable :: masses(:)
    !> Identifiers, shape (n)
    integer(i8), allocatable :: ids(:)
    !> GADGET types 0 to 5, shape (n)
    integer(i4), allocatable :: types(:)
  end type particles_t
end module galclass_particles
