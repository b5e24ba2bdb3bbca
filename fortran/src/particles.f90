!> The particles of a snapshot.
module galclass_particles
  use galclass_kinds, only: dp, i4
  implicit none
  private
  public :: particles_t, type_gas, type_disc

  !> GADGET's particle types 0 (gas), 1 (halo), 2 (disc), 3 (bulge), 4 (stars), 5; those we need by name.
  integer, parameter :: type_gas = 0, type_disc = 2

  type :: particles_t
    !> Time [kpc/(km/s)]
    real(dp) :: time = 0
    !> Positions [kpc], shape (3, n)
    real(dp), allocatable :: positions(:, :)
    !> Velocities [km/s], shape (3, n)
    real(dp), allocatable :: velocities(:, :)
    !> Masses [1e10 Msun], shape (n)
    real(dp), allocatable :: masses(:)
    !> Identifiers, shape (n): unsigned numbers of four bytes, as GADGET has them, which Fortran can only hold as signed
    integer(i4), allocatable :: ids(:)
    !> How many there are of each GADGET type; particles stand in the order of their types
    integer :: numbers(0:5) = 0
  end type particles_t
end module galclass_particles
