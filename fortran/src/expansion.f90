    !> Cartesian Taylor expansions of gravity with Plummer softening, order 4 (Dehnen 2002, J. Comput.
    !> Phys. 179, 27; Warren & Salmon 1995). Written by fortran/generate/expansion.py: change that, not this.
    !>
    !> A multipole M_k is the sum of G m (-1)^|k| x^k / k! over particles at x from their centre of mass, of
    !> orders 0 and 2 to 3: the dipole is zero. A local expansion holds the k-th derivatives of minus the
    !> potential at a centre, orders 0 to 4. Lists run over multi-indices k = (a, b, c), lowest order first,
    !> then falling a, then falling b.
    !>
    !> Pairs of cells are summed in vectors of sources: compiled with -ffast-math, as pair_kernels.
    module galclass_expansion
      use galclass_kinds, only: sp
      implicit none
      private
      public :: multipoles, locals, multipole_order, local_order, add_particles, shift_multipole, add_cells, &
                shift_local, evaluate_local

      !> Number of multipoles, and of coefficients of a local expansion.
      integer, parameter :: multipoles = 17, locals = 35
      !> The order of each of them.
      integer, parameter :: multipole_order(multipoles) = [0, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3, 3, &
3]
      integer, parameter :: local_order(locals) = [0, 1, 1, 1, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, &
3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, &
4, 4, 4]

    contains

  !> The multipoles of a leaf.
  pure subroutine add_particles(count, particles, multipole)
    !> Number of particles
    integer, intent(in) :: count
    !> x, y, z relative to the centre [kpc] and G times mass [kpc (km/s)^2], shape (>= count, 4)
    real(sp), contiguous, intent(in) :: particles(:, :)
    !> The leaf's multipoles
    real(sp), intent(out) :: multipole(multipoles)
    real(sp) :: x, y, z, gm
    real(sp) :: d100, d010, d001, d200, d110, d101, d020, d011, d002, d300, d210, d201, d120, d111, d102, d030, &
         d021, d012, d003
    real(sp) :: s000, s200, s110, s101, s020, s011, s002, s300, s210, s201, s120, s111, s102, s030, s021, s012, &
         s003
    integer :: i

    s000 = 0; s200 = 0; s110 = 0; s101 = 0; s020 = 0; s011 = 0; s002 = 0; s300 = 0; s210 = 0; s201 = 0
    s120 = 0; s111 = 0; s102 = 0; s030 = 0; s021 = 0; s012 = 0; s003 = 0
    !$omp simd reduction(+:s000, s200, s110, s101, s020, s011, s002, s300, s210, s201, s120, s111, &
    !$omp& s102, s030, s021, s012, s003)
    do i = 1, count
      x = -particles(i, 1); y = -particles(i, 2); z = -particles(i, 3); gm = particles(i, 4)
      d100 = x
      d010 = y
      d001 = z
      d200 = d100*x*0.5_sp
      d110 = d010*x
      d101 = d001*x
      d020 = d010*y*0.5_sp
      d011 = d001*y
      d002 = d001*z*0.5_sp
      d300 = d200*x*0.333333333_sp
      d210 = d110*x*0.5_sp
      d201 = d101*x*0.5_sp
      d120 = d020*x
      d111 = d011*x
      d102 = d002*x
      d030 = d020*y*0.333333333_sp
      d021 = d011*y*0.5_sp
      d012 = d002*y
      d003 = d002*z*0.333333333_sp
      s000 = s000 + gm
      s200 = s200 + gm*d200
      s110 = s110 + gm*d110
      s101 = s101 + gm*d101
      s020 = s020 + gm*d020
      s011 = s011 + gm*d011
      s002 = s002 + gm*d002
      s300 = s300 + gm*d300
      s210 = s210 + gm*d210
      s201 = s201 + gm*d201
      s120 = s120 + gm*d120
      s111 = s111 + gm*d111
      s102 = s102 + gm*d102
      s030 = s030 + gm*d030
      s021 = s021 + gm*d021
      s012 = s012 + gm*d012
      s003 = s003 + gm*d003
    end do
    multipole(1) = s000
    multipole(2) = s200
    multipole(3) = s110
    multipole(4) = s101
    multipole(5) = s020
    multipole(6) = s011
    multipole(7) = s002
    multipole(8) = s300
    multipole(9) = s210
    multipole(10) = s201
    multipole(11) = s120
    multipole(12) = s111
    multipole(13) = s102
    multipole(14) = s030
    multipole(15) = s021
    multipole(16) = s012
    multipole(17) = s003
  end subroutine add_particles

  !> Add a child's multipoles to those of its cell.
  pure subroutine shift_multipole(child, offset, multipole)
    !> The child's multipoles
    real(sp), intent(in) :: child(multipoles)
    !> The child's centre relative to the cell's [kpc]
    real(sp), intent(in) :: offset(3)
    !> The cell's multipoles
    real(sp), intent(inout) :: multipole(multipoles)
    real(sp) :: x, y, z, d100, d010, d001, d200, d110, d101, d020, d011, d002, d300, d210, d201, d120, d111, d102, &
         d030, d021, d012, d003

    x = -offset(1); y = -offset(2); z = -offset(3)
    d100 = x
    d010 = y
    d001 = z
    d200 = d100*x*0.5_sp
    d110 = d010*x
    d101 = d001*x
    d020 = d010*y*0.5_sp
    d011 = d001*y
    d002 = d001*z*0.5_sp
    d300 = d200*x*0.333333333_sp
    d210 = d110*x*0.5_sp
    d201 = d101*x*0.5_sp
    d120 = d020*x
    d111 = d011*x
    d102 = d002*x
    d030 = d020*y*0.333333333_sp
    d021 = d011*y*0.5_sp
    d012 = d002*y
    d003 = d002*z*0.333333333_sp
    multipole(1) = multipole(1) + child(1)
    multipole(2) = multipole(2) + child(1)*d200 + child(2)
    multipole(3) = multipole(3) + child(1)*d110 + child(3)
    multipole(4) = multipole(4) + child(1)*d101 + child(4)
    multipole(5) = multipole(5) + child(1)*d020 + child(5)
    multipole(6) = multipole(6) + child(1)*d011 + child(6)
    multipole(7) = multipole(7) + child(1)*d002 + child(7)
    multipole(8) = multipole(8) + child(1)*d300 + child(2)*d100 + child(8)
    multipole(9) = multipole(9) + child(1)*d210 + child(2)*d010 + child(3)*d100 + child(9)
    multipole(10) = multipole(10) + child(1)*d201 + child(2)*d001 + child(4)*d100 + child(10)
    multipole(11) = multipole(11) + child(1)*d120 + child(3)*d010 + child(5)*d100 + child(11)
    multipole(12) = multipole(12) + child(1)*d111 + child(3)*d001 + child(4)*d010 + child(6)*d100 + child(12)
    multipole(13) = multipole(13) + child(1)*d102 + child(4)*d001 + child(7)*d100 + child(13)
    multipole(14) = multipole(14) + child(1)*d030 + child(5)*d010 + child(14)
    multipole(15) = multipole(15) + child(1)*d021 + child(5)*d001 + child(6)*d010 + child(15)
    multipole(16) = multipole(16) + child(1)*d012 + child(6)*d001 + child(7)*d010 + child(16)
    multipole(17) = multipole(17) + child(1)*d003 + child(7)*d001 + child(17)
  end subroutine shift_multipole

  !> Add the pull of distant cells to a local expansion.
  pure subroutine add_cells(count, offsets, sources, softening2, local)
    !> Number of source cells
    integer, intent(in) :: count
    !> Centre of the expansion relative to those of the sources [kpc], shape (>= count, 3)
    real(sp), contiguous, intent(in) :: offsets(:, :)
    !> Their multipoles, shape (>= count, multipoles)
    real(sp), contiguous, intent(in) :: sources(:, :)
    !> Softening length squared [kpc^2]
    real(sp), intent(in) :: softening2
    !> The local expansion
    real(sp), intent(inout) :: local(locals)
    real(sp) :: x, y, z, u, g0, g1, g2, g3, g4
    real(sp) :: m100, m010, m001, m200, m110, m101, m020, m011, m002, m300, m210, m201, m120, m111, m102, m030, &
         m021, m012, m003, m400, m310, m301, m220, m211, m202, m130, m121, m112, m103, m040, m031, m022, m013, &
         m004
    real(sp) :: t000, t100, t010, t001, t200, t110, t101, t020, t011, t002, t300, t210, t201, t120, t111, t102, &
         t030, t021, t012, t003, t400, t310, t301, t220, t211, t202, t130, t121, t112, t103, t040, t031, t022, &
         t013, t004
    real(sp) :: s000, s100, s010, s001, s200, s110, s101, s020, s011, s002, s300, s210, s201, s120, s111, s102, &
         s030, s021, s012, s003, s400, s310, s301, s220, s211, s202, s130, s121, s112, s103, s040, s031, s022, &
         s013, s004
    integer :: i

    s000 = 0; s100 = 0; s010 = 0; s001 = 0; s200 = 0; s110 = 0; s101 = 0; s020 = 0; s011 = 0; s002 = 0
    s300 = 0; s210 = 0; s201 = 0; s120 = 0; s111 = 0; s102 = 0; s030 = 0; s021 = 0; s012 = 0; s003 = 0
    s400 = 0; s310 = 0; s301 = 0; s220 = 0; s211 = 0; s202 = 0; s130 = 0; s121 = 0; s112 = 0; s103 = 0
    s040 = 0; s031 = 0; s022 = 0; s013 = 0; s004 = 0
    !$omp simd reduction(+:s000, s100, s010, s001, s200, s110, s101, s020, s011, s002, s300, s210, &
    !$omp& s201, s120, s111, s102, s030, s021, s012, s003, s400, s310, s301, s220, &
    !$omp& s211, s202, s130, s121, s112, s103, s040, s031, s022, s013, s004)
    do i = 1, count
      x = offsets(i, 1); y = offsets(i, 2); z = offsets(i, 3)
      g0 = 1.0_sp/sqrt(x*x + (y*y + (z*z + softening2)))
      u = g0*g0
      g1 = g0*u
      g2 = g1*u*3.0_sp
      g3 = g2*u*5.0_sp
      g4 = g3*u*7.0_sp
      m100 = x
      m010 = y
      m001 = z
      m200 = m100*x
      m110 = m010*x
      m101 = m001*x
      m020 = m010*y
      m011 = m001*y
      m002 = m001*z
      m300 = m200*x
      m210 = m110*x
      m201 = m101*x
      m120 = m020*x
      m111 = m011*x
      m102 = m002*x
      m030 = m020*y
      m021 = m011*y
      m012 = m002*y
      m003 = m002*z
      m400 = m300*x
      m310 = m210*x
      m301 = m201*x
      m220 = m120*x
      m211 = m111*x
      m202 = m102*x
      m130 = m030*x
      m121 = m021*x
      m112 = m012*x
      m103 = m003*x
      m040 = m030*y
      m031 = m021*y
      m022 = m012*y
      m013 = m003*y
      m004 = m003*z
      t000 = g0
      t100 = -g1*m100
      t010 = -g1*m010
      t001 = -g1*m001
      t200 = g2*m200 - g1
      t110 = g2*m110
      t101 = g2*m101
      t020 = g2*m020 - g1
      t011 = g2*m011
      t002 = g2*m002 - g1
      t300 = -g3*m300 + g2*3.0_sp*m100
      t210 = -g3*m210 + g2*m010
      t201 = -g3*m201 + g2*m001
      t120 = -g3*m120 + g2*m100
      t111 = -g3*m111
      t102 = -g3*m102 + g2*m100
      t030 = -g3*m030 + g2*3.0_sp*m010
      t021 = -g3*m021 + g2*m001
      t012 = -g3*m012 + g2*m010
      t003 = -g3*m003 + g2*3.0_sp*m001
      t400 = g4*m400 - g3*6.0_sp*m200 + g2*3.0_sp
      t310 = g4*m310 - g3*3.0_sp*m110
      t301 = g4*m301 - g3*3.0_sp*m101
      t220 = g4*m220 - g3*(m020 + m200) + g2
      t211 = g4*m211 - g3*m011
      t202 = g4*m202 - g3*(m002 + m200) + g2
      t130 = g4*m130 - g3*3.0_sp*m110
      t121 = g4*m121 - g3*m101
      t112 = g4*m112 - g3*m110
      t103 = g4*m103 - g3*3.0_sp*m101
      t040 = g4*m040 - g3*6.0_sp*m020 + g2*3.0_sp
      t031 = g4*m031 - g3*3.0_sp*m011
      t022 = g4*m022 - g3*(m002 + m020) + g2
      t013 = g4*m013 - g3*3.0_sp*m011
      t004 = g4*m004 - g3*6.0_sp*m002 + g2*3.0_sp
      s000 = s000 + sources(i, 1)*t000 + sources(i, 2)*t200 + sources(i, 3)*t110 + sources(i, 4)*t101 &
        + sources(i, 5)*t020 + sources(i, 6)*t011 + sources(i, 7)*t002 + sources(i, 8)*t300 + sources(i, 9)*t210 &
        + sources(i, 10)*t201 + sources(i, 11)*t120 + sources(i, 12)*t111 + sources(i, 13)*t102 &
        + sources(i, 14)*t030 + sources(i, 15)*t021 + sources(i, 16)*t012 + sources(i, 17)*t003
      s100 = s100 + sources(i, 1)*t100 + sources(i, 2)*t300 + sources(i, 3)*t210 + sources(i, 4)*t201 &
        + sources(i, 5)*t120 + sources(i, 6)*t111 + sources(i, 7)*t102 + sources(i, 8)*t400 + sources(i, 9)*t310 &
        + sources(i, 10)*t301 + sources(i, 11)*t220 + sources(i, 12)*t211 + sources(i, 13)*t202 &
        + sources(i, 14)*t130 + sources(i, 15)*t121 + sources(i, 16)*t112 + sources(i, 17)*t103
      s010 = s010 + sources(i, 1)*t010 + sources(i, 2)*t210 + sources(i, 3)*t120 + sources(i, 4)*t111 &
        + sources(i, 5)*t030 + sources(i, 6)*t021 + sources(i, 7)*t012 + sources(i, 8)*t310 + sources(i, 9)*t220 &
        + sources(i, 10)*t211 + sources(i, 11)*t130 + sources(i, 12)*t121 + sources(i, 13)*t112 &
        + sources(i, 14)*t040 + sources(i, 15)*t031 + sources(i, 16)*t022 + sources(i, 17)*t013
      s001 = s001 + sources(i, 1)*t001 + sources(i, 2)*t201 + sources(i, 3)*t111 + sources(i, 4)*t102 &
        + sources(i, 5)*t021 + sources(i, 6)*t012 + sources(i, 7)*t003 + sources(i, 8)*t301 + sources(i, 9)*t211 &
        + sources(i, 10)*t202 + sources(i, 11)*t121 + sources(i, 12)*t112 + sources(i, 13)*t103 &
        + sources(i, 14)*t031 + sources(i, 15)*t022 + sources(i, 16)*t013 + sources(i, 17)*t004
      s200 = s200 + sources(i, 1)*t200 + sources(i, 2)*t400 + sources(i, 3)*t310 + sources(i, 4)*t301 &
        + sources(i, 5)*t220 + sources(i, 6)*t211 + sources(i, 7)*t202
      s110 = s110 + sources(i, 1)*t110 + sources(i, 2)*t310 + sources(i, 3)*t220 + sources(i, 4)*t211 &
        + sources(i, 5)*t130 + sources(i, 6)*t121 + sources(i, 7)*t112
      s101 = s101 + sources(i, 1)*t101 + sources(i, 2)*t301 + sources(i, 3)*t211 + sources(i, 4)*t202 &
        + sources(i, 5)*t121 + sources(i, 6)*t112 + sources(i, 7)*t103
      s020 = s020 + sources(i, 1)*t020 + sources(i, 2)*t220 + sources(i, 3)*t130 + sources(i, 4)*t121 &
        + sources(i, 5)*t040 + sources(i, 6)*t031 + sources(i, 7)*t022
      s011 = s011 + sources(i, 1)*t011 + sources(i, 2)*t211 + sources(i, 3)*t121 + sources(i, 4)*t112 &
        + sources(i, 5)*t031 + sources(i, 6)*t022 + sources(i, 7)*t013
      s002 = s002 + sources(i, 1)*t002 + sources(i, 2)*t202 + sources(i, 3)*t112 + sources(i, 4)*t103 &
        + sources(i, 5)*t022 + sources(i, 6)*t013 + sources(i, 7)*t004
      s300 = s300 + sources(i, 1)*t300
      s210 = s210 + sources(i, 1)*t210
      s201 = s201 + sources(i, 1)*t201
      s120 = s120 + sources(i, 1)*t120
      s111 = s111 + sources(i, 1)*t111
      s102 = s102 + sources(i, 1)*t102
      s030 = s030 + sources(i, 1)*t030
      s021 = s021 + sources(i, 1)*t021
      s012 = s012 + sources(i, 1)*t012
      s003 = s003 + sources(i, 1)*t003
      s400 = s400 + sources(i, 1)*t400
      s310 = s310 + sources(i, 1)*t310
      s301 = s301 + sources(i, 1)*t301
      s220 = s220 + sources(i, 1)*t220
      s211 = s211 + sources(i, 1)*t211
      s202 = s202 + sources(i, 1)*t202
      s130 = s130 + sources(i, 1)*t130
      s121 = s121 + sources(i, 1)*t121
      s112 = s112 + sources(i, 1)*t112
      s103 = s103 + sources(i, 1)*t103
      s040 = s040 + sources(i, 1)*t040
      s031 = s031 + sources(i, 1)*t031
      s022 = s022 + sources(i, 1)*t022
      s013 = s013 + sources(i, 1)*t013
      s004 = s004 + sources(i, 1)*t004
    end do
    local(1) = local(1) + s000
    local(2) = local(2) + s100
    local(3) = local(3) + s010
    local(4) = local(4) + s001
    local(5) = local(5) + s200
    local(6) = local(6) + s110
    local(7) = local(7) + s101
    local(8) = local(8) + s020
    local(9) = local(9) + s011
    local(10) = local(10) + s002
    local(11) = local(11) + s300
    local(12) = local(12) + s210
    local(13) = local(13) + s201
    local(14) = local(14) + s120
    local(15) = local(15) + s111
    local(16) = local(16) + s102
    local(17) = local(17) + s030
    local(18) = local(18) + s021
    local(19) = local(19) + s012
    local(20) = local(20) + s003
    local(21) = local(21) + s400
    local(22) = local(22) + s310
    local(23) = local(23) + s301
    local(24) = local(24) + s220
    local(25) = local(25) + s211
    local(26) = local(26) + s202
    local(27) = local(27) + s130
    local(28) = local(28) + s121
    local(29) = local(29) + s112
    local(30) = local(30) + s103
    local(31) = local(31) + s040
    local(32) = local(32) + s031
    local(33) = local(33) + s022
    local(34) = local(34) + s013
    local(35) = local(35) + s004
  end subroutine add_cells

  !> The local expansion of a child, from that of its cell.
  pure subroutine shift_local(parent, offset, local)
    !> The cell's local expansion
    real(sp), intent(in) :: parent(locals)
    !> The child's centre relative to the cell's [kpc]
    real(sp), intent(in) :: offset(3)
    !> The child's local expansion
    real(sp), intent(out) :: local(locals)
    real(sp) :: x, y, z, d100, d010, d001, d200, d110, d101, d020, d011, d002, d300, d210, d201, d120, d111, d102, &
         d030, d021, d012, d003, d400, d310, d301, d220, d211, d202, d130, d121, d112, d103, d040, d031, d022, &
         d013, d004

    x = offset(1); y = offset(2); z = offset(3)
    d100 = x
    d010 = y
    d001 = z
    d200 = d100*x*0.5_sp
    d110 = d010*x
    d101 = d001*x
    d020 = d010*y*0.5_sp
    d011 = d001*y
    d002 = d001*z*0.5_sp
    d300 = d200*x*0.333333333_sp
    d210 = d110*x*0.5_sp
    d201 = d101*x*0.5_sp
    d120 = d020*x
    d111 = d011*x
    d102 = d002*x
    d030 = d020*y*0.333333333_sp
    d021 = d011*y*0.5_sp
    d012 = d002*y
    d003 = d002*z*0.333333333_sp
    d400 = d300*x*0.25_sp
    d310 = d210*x*0.333333333_sp
    d301 = d201*x*0.333333333_sp
    d220 = d120*x*0.5_sp
    d211 = d111*x*0.5_sp
    d202 = d102*x*0.5_sp
    d130 = d030*x
    d121 = d021*x
    d112 = d012*x
    d103 = d003*x
    d040 = d030*y*0.25_sp
    d031 = d021*y*0.333333333_sp
    d022 = d012*y*0.5_sp
    d013 = d003*y
    d004 = d003*z*0.25_sp
    local(1) = parent(1) + parent(2)*d100 + parent(3)*d010 + parent(4)*d001 + parent(5)*d200 + parent(6)*d110 &
      + parent(7)*d101 + parent(8)*d020 + parent(9)*d011 + parent(10)*d002 + parent(11)*d300 + parent(12)*d210 &
      + parent(13)*d201 + parent(14)*d120 + parent(15)*d111 + parent(16)*d102 + parent(17)*d030 + parent(18)*d021 &
      + parent(19)*d012 + parent(20)*d003 + parent(21)*d400 + parent(22)*d310 + parent(23)*d301 + parent(24)*d220 &
      + parent(25)*d211 + parent(26)*d202 + parent(27)*d130 + parent(28)*d121 + parent(29)*d112 + parent(30)*d103 &
      + parent(31)*d040 + parent(32)*d031 + parent(33)*d022 + parent(34)*d013 + parent(35)*d004
    local(2) = parent(2) + parent(5)*d100 + parent(6)*d010 + parent(7)*d001 + parent(11)*d200 + parent(12)*d110 &
      + parent(13)*d101 + parent(14)*d020 + parent(15)*d011 + parent(16)*d002 + parent(21)*d300 + parent(22)*d210 &
      + parent(23)*d201 + parent(24)*d120 + parent(25)*d111 + parent(26)*d102 + parent(27)*d030 + parent(28)*d021 &
      + parent(29)*d012 + parent(30)*d003
    local(3) = parent(3) + parent(6)*d100 + parent(8)*d010 + parent(9)*d001 + parent(12)*d200 + parent(14)*d110 &
      + parent(15)*d101 + parent(17)*d020 + parent(18)*d011 + parent(19)*d002 + parent(22)*d300 + parent(24)*d210 &
      + parent(25)*d201 + parent(27)*d120 + parent(28)*d111 + parent(29)*d102 + parent(31)*d030 + parent(32)*d021 &
      + parent(33)*d012 + parent(34)*d003
    local(4) = parent(4) + parent(7)*d100 + parent(9)*d010 + parent(10)*d001 + parent(13)*d200 + parent(15)*d110 &
      + parent(16)*d101 + parent(18)*d020 + parent(19)*d011 + parent(20)*d002 + parent(23)*d300 + parent(25)*d210 &
      + parent(26)*d201 + parent(28)*d120 + parent(29)*d111 + parent(30)*d102 + parent(32)*d030 + parent(33)*d021 &
      + parent(34)*d012 + parent(35)*d003
    local(5) = parent(5) + parent(11)*d100 + parent(12)*d010 + parent(13)*d001 + parent(21)*d200 + parent(22)*d110 &
      + parent(23)*d101 + parent(24)*d020 + parent(25)*d011 + parent(26)*d002
    local(6) = parent(6) + parent(12)*d100 + parent(14)*d010 + parent(15)*d001 + parent(22)*d200 + parent(24)*d110 &
      + parent(25)*d101 + parent(27)*d020 + parent(28)*d011 + parent(29)*d002
    local(7) = parent(7) + parent(13)*d100 + parent(15)*d010 + parent(16)*d001 + parent(23)*d200 + parent(25)*d110 &
      + parent(26)*d101 + parent(28)*d020 + parent(29)*d011 + parent(30)*d002
    local(8) = parent(8) + parent(14)*d100 + parent(17)*d010 + parent(18)*d001 + parent(24)*d200 + parent(27)*d110 &
      + parent(28)*d101 + parent(31)*d020 + parent(32)*d011 + parent(33)*d002
    local(9) = parent(9) + parent(15)*d100 + parent(18)*d010 + parent(19)*d001 + parent(25)*d200 + parent(28)*d110 &
      + parent(29)*d101 + parent(32)*d020 + parent(33)*d011 + parent(34)*d002
    local(10) = parent(10) + parent(16)*d100 + parent(19)*d010 + parent(20)*d001 + parent(26)*d200 &
      + parent(29)*d110 + parent(30)*d101 + parent(33)*d020 + parent(34)*d011 + parent(35)*d002
    local(11) = parent(11) + parent(21)*d100 + parent(22)*d010 + parent(23)*d001
    local(12) = parent(12) + parent(22)*d100 + parent(24)*d010 + parent(25)*d001
    local(13) = parent(13) + parent(23)*d100 + parent(25)*d010 + parent(26)*d001
    local(14) = parent(14) + parent(24)*d100 + parent(27)*d010 + parent(28)*d001
    local(15) = parent(15) + parent(25)*d100 + parent(28)*d010 + parent(29)*d001
    local(16) = parent(16) + parent(26)*d100 + parent(29)*d010 + parent(30)*d001
    local(17) = parent(17) + parent(27)*d100 + parent(31)*d010 + parent(32)*d001
    local(18) = parent(18) + parent(28)*d100 + parent(32)*d010 + parent(33)*d001
    local(19) = parent(19) + parent(29)*d100 + parent(33)*d010 + parent(34)*d001
    local(20) = parent(20) + parent(30)*d100 + parent(34)*d010 + parent(35)*d001
    local(21) = parent(21)
    local(22) = parent(22)
    local(23) = parent(23)
    local(24) = parent(24)
    local(25) = parent(25)
    local(26) = parent(26)
    local(27) = parent(27)
    local(28) = parent(28)
    local(29) = parent(29)
    local(30) = parent(30)
    local(31) = parent(31)
    local(32) = parent(32)
    local(33) = parent(33)
    local(34) = parent(34)
    local(35) = parent(35)
  end subroutine shift_local

  !> The field of a local expansion at some particles.
  pure subroutine evaluate_local(local, count, offsets, pull)
    !> The local expansion
    real(sp), intent(in) :: local(locals)
    !> Number of particles
    integer, intent(in) :: count
    !> Their positions relative to the centre [kpc], shape (>= count, 3)
    real(sp), contiguous, intent(in) :: offsets(:, :)
    !> Acceleration [(km/s)^2/kpc] and minus the potential [(km/s)^2], shape (>= count, 4)
    real(sp), contiguous, intent(inout) :: pull(:, :)
    real(sp) :: x, y, z, d100, d010, d001, d200, d110, d101, d020, d011, d002, d300, d210, d201, d120, d111, d102, &
         d030, d021, d012, d003, d400, d310, d301, d220, d211, d202, d130, d121, d112, d103, d040, d031, d022, &
         d013, d004
    integer :: i

    !$omp simd
    do i = 1, count
      x = offsets(i, 1); y = offsets(i, 2); z = offsets(i, 3)
      d100 = x
      d010 = y
      d001 = z
      d200 = d100*x*0.5_sp
      d110 = d010*x
      d101 = d001*x
      d020 = d010*y*0.5_sp
      d011 = d001*y
      d002 = d001*z*0.5_sp
      d300 = d200*x*0.333333333_sp
      d210 = d110*x*0.5_sp
      d201 = d101*x*0.5_sp
      d120 = d020*x
      d111 = d011*x
      d102 = d002*x
      d030 = d020*y*0.333333333_sp
      d021 = d011*y*0.5_sp
      d012 = d002*y
      d003 = d002*z*0.333333333_sp
      d400 = d300*x*0.25_sp
      d310 = d210*x*0.333333333_sp
      d301 = d201*x*0.333333333_sp
      d220 = d120*x*0.5_sp
      d211 = d111*x*0.5_sp
      d202 = d102*x*0.5_sp
      d130 = d030*x
      d121 = d021*x
      d112 = d012*x
      d103 = d003*x
      d040 = d030*y*0.25_sp
      d031 = d021*y*0.333333333_sp
      d022 = d012*y*0.5_sp
      d013 = d003*y
      d004 = d003*z*0.25_sp
      pull(i, 1) = local(2) + local(5)*d100 + local(6)*d010 + local(7)*d001 + local(11)*d200 + local(12)*d110 &
        + local(13)*d101 + local(14)*d020 + local(15)*d011 + local(16)*d002 + local(21)*d300 + local(22)*d210 &
        + local(23)*d201 + local(24)*d120 + local(25)*d111 + local(26)*d102 + local(27)*d030 + local(28)*d021 &
        + local(29)*d012 + local(30)*d003
      pull(i, 2) = local(3) + local(6)*d100 + local(8)*d010 + local(9)*d001 + local(12)*d200 + local(14)*d110 &
        + local(15)*d101 + local(17)*d020 + local(18)*d011 + local(19)*d002 + local(22)*d300 + local(24)*d210 &
        + local(25)*d201 + local(27)*d120 + local(28)*d111 + local(29)*d102 + local(31)*d030 + local(32)*d021 &
        + local(33)*d012 + local(34)*d003
      pull(i, 3) = local(4) + local(7)*d100 + local(9)*d010 + local(10)*d001 + local(13)*d200 + local(15)*d110 &
        + local(16)*d101 + local(18)*d020 + local(19)*d011 + local(20)*d002 + local(23)*d300 + local(25)*d210 &
        + local(26)*d201 + local(28)*d120 + local(29)*d111 + local(30)*d102 + local(32)*d030 + local(33)*d021 &
        + local(34)*d012 + local(35)*d003
      pull(i, 4) = local(1) + local(2)*d100 + local(3)*d010 + local(4)*d001 + local(5)*d200 + local(6)*d110 &
        + local(7)*d101 + local(8)*d020 + local(9)*d011 + local(10)*d002 + local(11)*d300 + local(12)*d210 &
        + local(13)*d201 + local(14)*d120 + local(15)*d111 + local(16)*d102 + local(17)*d030 + local(18)*d021 &
        + local(19)*d012 + local(20)*d003 + local(21)*d400 + local(22)*d310 + local(23)*d301 + local(24)*d220 &
        + local(25)*d211 + local(26)*d202 + local(27)*d130 + local(28)*d121 + local(29)*d112 + local(30)*d103 &
        + local(31)*d040 + local(32)*d031 + local(33)*d022 + local(34)*d013 + local(35)*d004
    end do
  end subroutine evaluate_local
end module galclass_expansion
