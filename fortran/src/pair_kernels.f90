!> The pull of many sources on one target, with Plummer softening (Plummer 1911): the innermost loop of direct
!> summation, and the only file compiled with -ffast-math.
!>
!> A vector of sources is taken at a time, each lane with a sum of its own; the lanes are added at the end. The order
!> of the sum depends on the sources alone, not on threads or other targets. 2048 sources a call leave the lanes'
!> addition 2 % of the time; vectors of targets were 20 % slower with gfortran 12, since their sums left the registers.
module galclass_pair_kernels
  use galclass_kinds, only: sp, dp
  implicit none
  private
  public :: add_pull

  !> Add the pull of sources on a target that is not among them.
  interface add_pull
    module procedure add_pull_single, add_pull_double
  end interface add_pull

contains

  pure subroutine add_pull_single(x, y, z, gm, target, softening2, pull)
    !> Sources: positions [kpc] and G times mass [kpc (km/s)^2], shape (m) each
    real(sp), contiguous, intent(in) :: x(:), y(:), z(:), gm(:)
    !> Position of the target [kpc]
    real(sp), intent(in) :: target(3)
    !> Softening length squared [kpc^2]
    real(sp), intent(in) :: softening2
    !> Sums so far: acceleration in x, y, z [(km/s)^2/kpc] and minus the potential [(km/s)^2]
    real(sp), intent(inout) :: pull(4)
    real(sp) :: ax, ay, az, phi, dx, dy, dz, inverse, attraction
    integer :: j

    ax = 0; ay = 0; az = 0; phi = 0
    !$omp simd reduction(+:ax, ay, az, phi) private(dx, dy, dz, inverse, attraction)
    do j = 1, size(x)
      dx = x(j) - target(1)
      dy = y(j) - target(2)
      dz = z(j) - target(3)
      inverse = 1.0_sp/sqrt(dx*dx + (dy*dy + (dz*dz + softening2)))
      attraction = gm(j)*inverse
      phi = phi + attraction
      attraction = attraction*(inverse*inverse)
      ax = ax + attraction*dx
      ay = ay + attraction*dy
      az = az + attraction*dz
    end do
    pull = pull + [ax, ay, az, phi]
  end subroutine add_pull_single

  pure subroutine add_pull_double(x, y, z, gm, target, softening2, pull)
    !> Sources: positions [kpc] and G times mass [kpc (km/s)^2], shape (m) each
    real(dp), contiguous, intent(in) :: x(:), y(:), z(:), gm(:)
    !> Position of the target [kpc]
    real(dp), intent(in) :: target(3)
    !> Softening length squared [kpc^2]
    real(dp), intent(in) :: softening2
    !> Sums so far: acceleration in x, y, z [(km/s)^2/kpc] and minus the potential [(km/s)^2]
    real(dp), intent(inout) :: pull(4)
    real(dp) :: ax, ay, az, phi, dx, dy, dz, inverse, attraction
    integer :: j

    ax = 0; ay = 0; az = 0; phi = 0
    !$omp simd reduction(+:ax, ay, az, phi) private(dx, dy, dz, inverse, attraction)
    do j = 1, size(x)
      dx = x(j) - target(1)
      dy = y(j) - target(2)
      dz = z(j) - target(3)
      inverse = 1.0_dp/sqrt(dx*dx + (dy*dy + (dz*dz + softening2)))
      attraction = gm(j)*inverse
      phi = phi + attraction
      attraction = attraction*(inverse*inverse)
      ax = ax + attraction*dx
      ay = ay + attraction*dy
      az = az + attraction*dz
    end do
    pull = pull + [ax, ay, az, phi]
  end subroutine add_pull_double
end module galclass_pair_kernels
