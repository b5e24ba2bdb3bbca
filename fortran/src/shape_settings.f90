!> Settings of program shape, read from a namelist and checked.
module galclass_shape_settings
  use galclass_kinds, only: dp
  use galclass_errors, only: error_t, value_error
  use galclass_namelists, only: missing_real, missing_integer, missing_text, text_length, open_namelist, &
                                reading_error, check_real, check_integer, check_text
  use galclass_shape_model, only: shape_model_t, class_oval, class_rectangle, class_obround
  implicit none
  private
  public :: shape_settings_t, read_shape_settings

  type :: shape_settings_t
    !> Path of the snapshot to write
    character(len=:), allocatable :: output
    !> The galaxy
    type(shape_model_t) :: model
    !> Number of particles
    integer :: particles = 0
    !> Seed of the random numbers
    integer :: seed = 0
  end type shape_settings_t

contains

  !> Read and check the namelist &shape of a file.
  subroutine read_shape_settings(file, settings, error)
    !> Path of the namelist
    character(len=*), intent(in) :: file
    !> The settings
    type(shape_settings_t), intent(out) :: settings
    !> Allocated if a setting is missing, unknown or out of range
    type(error_t), allocatable, intent(out) :: error
    character(len=text_length) :: output, class, message
    real(dp) :: axis_ratio, exponent, cap, sersic, half_mass, height_over_minor
    integer :: particles, seed, unit, iostat
    namelist /shape/ output, class, axis_ratio, exponent, cap, sersic, half_mass, height_over_minor, particles, seed

    output = missing_text; class = missing_text
    axis_ratio = missing_real; exponent = missing_real; cap = missing_real; sersic = missing_real
    half_mass = missing_real; height_over_minor = missing_real
    particles = missing_integer; seed = missing_integer
    call open_namelist(file, unit, error)
    if (allocated(error)) return
    read (unit, nml=shape, iostat=iostat, iomsg=message)
    close (unit)
    if (iostat /= 0) then
      error = reading_error(file, 'shape', iostat, message)
      return
    end if

    call check_text(file, 'output', output, 'the path of a file', error)
    call check_text(file, 'class', class, "'oval', 'rectangle' or 'obround'", error)
    call check_real(file, 'axis_ratio', axis_ratio, 0.05_dp, 1.0_dp, .false., error)
    call check_real(file, 'exponent', min(exponent, huge(1.0_dp)), 0.0_dp, huge(1.0_dp), .false., error)
    call check_real(file, 'cap', cap, 0.0_dp, 1.0_dp, .false., error)
    call check_real(file, 'sersic', sersic, 0.5_dp, 8.0_dp, .false., error)
    call check_real(file, 'half_mass', half_mass, 0.0_dp, 1000.0_dp, .true., error)
    call check_real(file, 'height_over_minor', height_over_minor, 0.0_dp, 1.0_dp, .false., error)
    call check_integer(file, 'particles', particles, 1, 100000000, error)
    call check_integer(file, 'seed', seed, 0, huge(1), error)
    if (allocated(error)) return
    settings%output = trim(output)
    settings%particles = particles
    settings%seed = seed
    settings%model = shape_model_t(class_oval, axis_ratio, exponent, cap, sersic, half_mass, height_over_minor)
    call read_class(file, trim(class), settings%model%class, error)
    call check_outline(file, settings%model, error)
  end subroutine read_shape_settings

  !> Check what belongs to one class only: the exponent of a superellipse, the cap of an obround.
  pure subroutine check_outline(file, model, error)
    !> Path of the namelist
    character(len=*), intent(in) :: file
    !> The galaxy
    type(shape_model_t), intent(in) :: model
    !> Left alone if already allocated, so that the first error stands
    type(error_t), allocatable, intent(inout) :: error

    select case (model%class)
    case (class_obround)
      call check_real(file, 'cap', model%cap, 0.01_dp, 1.0_dp, .false., error)
    case default
      ! An infinite exponent is an exact rectangle; any large number says the same.
      call check_real(file, 'exponent', min(model%exponent, 1000.0_dp), 1.0_dp, 1000.0_dp, .false., error)
    end select
  end subroutine check_outline

  pure subroutine read_class(file, word, class, error)
    !> Path of the namelist
    character(len=*), intent(in) :: file
    !> What the user wrote
    character(len=*), intent(in) :: word
    !> class_oval, class_rectangle or class_obround
    integer, intent(out) :: class
    !> Allocated if the word is none of them
    type(error_t), allocatable, intent(out) :: error

    class = class_oval
    select case (word)
    case ('oval')
      class = class_oval
    case ('rectangle')
      class = class_rectangle
    case ('obround')
      class = class_obround
    case default
      error = value_error(file, 'class', "'"//word//"'", "'oval', 'rectangle' or 'obround'")
    end select
  end subroutine read_class
end module galclass_shape_settings
