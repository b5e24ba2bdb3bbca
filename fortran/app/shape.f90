!> Writes a labelled particle galaxy: an oval, a rectangle or an obround.
!>
!> usage: shape NAMELIST
program shape
  use, intrinsic :: iso_fortran_env, only: error_unit
  use galclass_kinds, only: dp
  use galclass_errors, only: error_t
  use galclass_files, only: make_parent
  use galclass_gadget, only: write_gadget
  use galclass_particles, only: particles_t
  use galclass_shape_settings, only: shape_settings_t, read_shape_settings
  use galclass_shape_model, only: sample_shape
  implicit none
  type(error_t), allocatable :: error

  call main(error)
  if (allocated(error)) then
    write (error_unit, '(a)') 'shape: '//error%message
    stop 1, quiet=.true.
  end if

contains

  subroutine main(error)
    !> Allocated if something failed
    type(error_t), allocatable, intent(out) :: error
    type(shape_settings_t) :: settings
    type(particles_t) :: galaxy
    integer :: i
    character(len=4096) :: namelist

    if (command_argument_count() /= 1) then
      write (error_unit, '(a)') 'usage: shape NAMELIST'
      stop 2, quiet=.true.
    end if
    call get_command_argument(1, namelist)
    call read_shape_settings(trim(namelist), settings, error)
    if (.not. allocated(error)) call make_parent(settings%output, error)
    if (.not. allocated(error)) then
      galaxy = sample_shape(settings%model, settings%particles, settings%seed)
      call write_gadget(settings%output, 0.0_dp, galaxy, galaxy%positions, galaxy%velocities, galaxy%masses, &
                        [(i, i=1, settings%particles)], error)
    end if
  end subroutine main
end program shape
