!> Conserved quantities of a set of particles. Sums are folded in index order, so they are the same on any machine.
module galclass_diagnostics
  use galclass_kinds, only: dp
  implicit none
  private
  public :: kinetic_energy, potential_energy, momentum, angular_momentum, centre_of_mass

contains

  !> Kinetic energy [1e10 Msun (km/s)^2].
  pure function kinetic_energy(velocities, masses) result(energy)
    !> Velocities [km/s], shape (3, n)
    real(dp), intent(in) :: velocities(:, :)
    !> Masses [1e10 Msun], shape (n)
    real(dp), intent(in) :: masses(:)
    real(dp) :: energy
    integer :: i

    energy = 0
    do i = 1, size(masses)
      energy = energy + 0.5_dp*masses(i)*dot_product(velocities(:, i), velocities(:, i))
    end do
  end function kinetic_energy

  !> Potential energy [1e10 Msun (km/s)^2]: half the sum, since the potential counts every pair twice.
  pure function potential_energy(potentials, masses) result(energy)
    !> Potentials [(km/s)^2], shape (n)
    real(dp), intent(in) :: potentials(:)
    !> Masses [1e10 Msun], shape (n)
    real(dp), intent(in) :: masses(:)
    real(dp) :: energy
    integer :: i

    energy = 0
    do i = 1, size(masses)
      energy = energy + 0.5_dp*masses(i)*potentials(i)
    end do
  end function potential_energy

  !> Momentum [1e10 Msun km/s].
  pure function momentum(velocities, masses) result(total)
    !> Velocities [km/s], shape (3, n)
    real(dp), intent(in) :: velocities(:, :)
    !> Masses [1e10 Msun], shape (n)
    real(dp), intent(in) :: masses(:)
    real(dp) :: total(3)
    integer :: i

    total = 0
    do i = 1, size(masses)
      total = total + masses(i)*velocities(:, i)
    end do
  end function momentum

  !> Angular momentum about the origin [1e10 Msun kpc km/s].
  pure function angular_momentum(positions, velocities, masses) result(total)
    !> Positions [kpc], shape (3, n)
    real(dp), intent(in) :: positions(:, :)
    !> Velocities [km/s], shape (3, n)
    real(dp), intent(in) :: velocities(:, :)
    !> Masses [1e10 Msun], shape (n)
    real(dp), intent(in) :: masses(:)
    real(dp) :: total(3)
    integer :: i

    total = 0
    do i = 1, size(masses)
      associate (x => positions(:, i), v => velocities(:, i))
        total = total + masses(i)*[x(2)*v(3) - x(3)*v(2), x(3)*v(1) - x(1)*v(3), x(1)*v(2) - x(2)*v(1)]
      end associate
    end do
  end function angular_momentum

  !> Centre of mass [kpc].
  pure function centre_of_mass(positions, masses) result(centre)
    !> Positions [kpc], shape (3, n)
    real(dp), intent(in) :: positions(:, :)
    !> Masses [1e10 Msun], shape (n)
    real(dp), intent(in) :: masses(:)
    real(dp) :: centre(3), total
    integer :: i

    centre = 0
    total = 0
    do i = 1, size(masses)
      centre = centre + masses(i)*positions(:, i)
      total = total + masses(i)
    end do
    centre = centre/total
  end function centre_of_mass
end module galclass_diagnostics
