!> Particle galaxies of known shape: oval, rectangle, obround (the training set of the thesis).
!>
!> All isophotes have one shape: the set where a generalised radius m has the same value. It is scaled such that the
!> half-axes of m = 1 are a = 1/sqrt(q) and b = sqrt(q) [kpc], q the axis ratio, so m is the radius of the circle with
!> the area of the ellipse on those half-axes. The surface density is a Sersic (1968) law of m.
module galclass_shape_model
  use galclass_kinds, only: dp
  use galclass_particles, only: particles_t, type_disc
  use galclass_random, only: random_t, seeded, draw_uniform, draw_gamma
  implicit none
  private
  public :: shape_model_t, class_oval, class_rectangle, class_obround, sample_shape, generalised_radius

  integer, parameter :: class_oval = 1, class_rectangle = 2, class_obround = 3

  type :: shape_model_t
    !> class_oval, class_rectangle or class_obround
    integer :: class = class_oval
    !> Short over long half-axis
    real(dp) :: axis_ratio = 1
    !> Exponent of the superellipse, for oval (2 is an ellipse) and rectangle
    real(dp) :: exponent = 2
    !> Length of an obround's round ends over its long half-axis; 1 is an ellipse, 0 a rectangle
    real(dp) :: cap = 1
    !> Index of the Sersic law
    real(dp) :: sersic = 1
    !> Generalised radius that holds half the mass [kpc]
    real(dp) :: half_mass = 1
    !> Scale of the sech^2 height over the short half-axis at half mass
    real(dp) :: height_over_minor = 0
  end type shape_model_t

  !> Mass of a model [1e10 Msun]: that of LEDA 074886 (Graham et al. 2012).
  real(dp), parameter :: total_mass = 0.1_dp
  !> From this exponent on a superellipse is drawn as an exact rectangle.
  real(dp), parameter :: sharp_exponent = 20

contains

  !> Particles at rest, of equal mass.
  pure function sample_shape(model, number, seed) result(particles)
    !> The galaxy
    type(shape_model_t), intent(in) :: model
    !> Number of particles
    integer, intent(in) :: number
    !> Seed of the random numbers
    integer, intent(in) :: seed
    type(particles_t) :: particles
    type(random_t) :: generator
    integer :: i

    generator = seeded(seed)
    allocate (particles%positions(3, number), particles%velocities(3, number), particles%masses(number))
    particles%velocities = 0
    particles%masses = total_mass/number
    particles%ids = [(i, i=1, number)]
    particles%numbers(type_disc) = number
    do i = 1, number
      call draw_place(generator, model, particles%positions(:, i))
    end do
  end function sample_shape

  !> The place of a star.
  pure subroutine draw_place(generator, model, place)
    !> The generator, which moves on
    type(random_t), intent(inout) :: generator
    !> The galaxy
    type(shape_model_t), intent(in) :: model
    !> Position [kpc]
    real(dp), intent(out) :: place(3)
    real(dp) :: x, y, uniform, radius, gamma

    ! Uniform in the box around the isophote, until it falls inside: then its direction is right.
    do
      call draw_uniform(generator, x)
      call draw_uniform(generator, y)
      x = (2*x - 1)/sqrt(model%axis_ratio)
      y = (2*y - 1)*sqrt(model%axis_ratio)
      radius = generalised_radius(model, x, y)
      if (radius > 0 .and. radius <= 1) exit
    end do
    ! The mass within m is a gamma distribution of b (m / half_mass)^(1/n) (Graham & Driver 2005, eq. 2).
    call draw_gamma(generator, 2*model%sersic, gamma)
    place(1:2) = [x, y]/radius*model%half_mass*(gamma/sersic_b(model%sersic))**model%sersic
    ! The mass of sech^2(z/h) below z is (1 + tanh(z/h))/2.
    call draw_uniform(generator, uniform)
    place(3) = model%height_over_minor*model%half_mass*sqrt(model%axis_ratio)*atanh(2*uniform - 1)
  end subroutine draw_place

  !> The b that makes the half-mass radius of a Sersic law one (Ciotti & Bertin 1999, eq. 18; right to 1e-6).
  pure function sersic_b(n) result(b)
    !> Index, at least 0.5
    real(dp), intent(in) :: n
    real(dp) :: b

    b = 2*n - 1.0_dp/3 + 4/(405*n) + 46/(25515*n**2) + 131/(1148175*n**3)
  end function sersic_b

  !> The generalised radius of a point; -1 for an unknown class.
  elemental function generalised_radius(model, x, y) result(m)
    !> The galaxy
    type(shape_model_t), intent(in) :: model
    !> Place along the long and the short axis [kpc]
    real(dp), intent(in) :: x, y
    real(dp) :: m
    real(dp) :: u, v

    u = abs(x)*sqrt(model%axis_ratio)
    v = abs(y)/sqrt(model%axis_ratio)
    select case (model%class)
    case (class_oval, class_rectangle)
      m = superellipse(u, v, model%exponent)
    case (class_obround)
      m = obround(u, v, model%cap)
    case default
      m = -1
    end select
  end function generalised_radius

  !> u^n + v^n = m^n.
  elemental function superellipse(u, v, n) result(m)
    !> Distances along the axes over the half-axes, at least 0
    real(dp), intent(in) :: u, v
    !> Exponent
    real(dp), intent(in) :: n
    real(dp) :: m

    m = max(u, v)
    if (n < sharp_exponent .and. m > 0) m = m*((u/m)**n + (v/m)**n)**(1/n)
  end function superellipse

  !> A rectangle |u| <= (1 - c) m, |v| <= m, joined at both short ends with half an ellipse of half-axes c m and m.
  elemental function obround(u, v, c) result(m)
    !> Distances along the axes over the half-axes, at least 0
    real(dp), intent(in) :: u, v
    !> Length of the round ends over the half-axis, above 0
    real(dp), intent(in) :: c
    real(dp) :: m

    if (u <= (1 - c)*v) then
      m = v
    else
      ! The root of ((u - (1 - c) m)/c)^2 + v^2 = m^2 that lies in the round end.
      m = (u**2 + (c*v)**2)/((1 - c)*u + c*sqrt(max(u**2 - (1 - 2*c)*v**2, 0.0_dp)))
    end if
  end function obround
end module galclass_shape_model
