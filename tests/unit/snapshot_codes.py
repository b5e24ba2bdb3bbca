"""Snapshots as other codes write them: groups, attributes and factors of a and h put down from their sources and
documentation, independently of the package.

Sources: GADGET-2 (`io.c`, users' guide, section 6), GADGET-4 (`io/io.cc`: Header, Parameters, a_scaling ... of each
dataset), AREPO (`io.c` and the IllustrisTNG data specification), GIZMO (`io.c`: UnitLength_In_CGS with 1/h in it),
SWIFT (`common_io.c`, `single_io.c`), EAGLE (McAlpine et al. 2016, particle data paper).

A physical truth (kpc, km/s, 1e10 Msun) is turned into a code's numbers and written with the attributes that say so.
"""

import h5py
import numpy as np

from galclass.snapshot import Snapshot

KPC, KMS, MASS = 3.0856775814913673e21, 1e5, 1.988409870698051e43
A, H, OMEGA_M, OMEGA_L = 0.8, 0.7, 0.3, 0.7
CODES = (
    "gadget2", "gadget2-comoving", "gadget4", "gadget4-comoving", "arepo-tng", "gizmo", "gizmo-comoving",
    "swift", "swift-comoving", "eagle",
)  # fmt: skip


def truth(seed=1, types=(0, 1, 4), each=200, box=400.0):
    """A few hundred particles of several types in the middle of a box [kpc], in physical units."""
    rng = np.random.default_rng(seed)
    kinds = np.repeat(np.array(types, np.int8), each)
    n = len(kinds)
    return Snapshot(
        box / 2 + rng.normal(scale=5.0, size=(n, 3)),
        rng.normal(scale=20.0, size=(n, 3)),
        rng.uniform(1e-6, 2e-6, n) * (1 + kinds),
        rng.permutation(n) + 1,
        kinds,
        1.5,
        (box,) * 3,
    )


def scales(code):
    """Unit (cgs) and powers of a and h of lengths, velocities, masses, as the code has them."""
    comoving = code.endswith("comoving") or code in ("arepo-tng", "eagle")
    if code.startswith("swift"):
        # Mpc, 1e10 Msun, km/s as EAGLE-like runs; a physical velocity; no h.
        return comoving, ((1e3 * KPC, 1, 0), (KMS, 0, 0), (MASS, 0, 0))
    if code.startswith("gizmo"):
        h = H if comoving else 1.0
        return comoving, ((KPC / h, 1, 0), (KMS, 0.5, 0), (MASS / h, 0, 0))
    length = 1e3 * KPC if code == "eagle" else 3.085678e21
    return comoving, ((length, 1, -1), (KMS, 0.5, 0), (1.989e43, 0, -1))


def in_code_units(particles, code):
    """Positions, velocities, masses and box as the code's numbers."""
    comoving, three = scales(code)
    a, h = (A, H) if comoving else (1.0, 1.0)
    ours = ((KPC, particles.positions), (KMS, particles.velocities), (MASS, particles.masses))
    numbers = [values * mine / (unit * a**p * h**q) for (unit, p, q), (mine, values) in zip(three, ours, strict=True)]
    box = particles.box_kpc[0] * KPC / (three[0][0] * a ** three[0][1] * h ** three[0][2])
    return (*numbers, box)


def time_number(particles, code):
    """The header's time: the expansion factor of comoving runs (SWIFT: the age), else the time in code units."""
    comoving, (length, velocity, _) = scales(code)
    if comoving and not code.startswith("swift"):
        return A
    return particles.time * (KPC / KMS) / (length[0] / velocity[0])


def write(path, particles, code, table=None, pieces=1, **storage):
    """Write a snapshot as a code does; with `pieces` as NAME.0.hdf5 and so on. Returns the paths."""
    if pieces == 1:
        _write_one(path, particles, particles, code, table, 1, storage)
        return [path]
    stem = path.name.removesuffix(".hdf5")
    paths = [path.with_name(f"{stem}.{k}.hdf5") for k in range(pieces)]
    for k, one in enumerate(paths):
        mask = np.arange(len(particles)) % pieces == k
        _write_one(one, particles._where(mask), particles, code, table, pieces, storage)
    return paths


def _write_one(path, particles, whole, code, table, pieces, storage):
    positions, velocities, masses, box = in_code_units(particles, code)
    kinds = 7 if code.startswith("swift") else 6
    counts, total = (np.bincount(some.types, minlength=kinds) for some in (particles, whole))
    with h5py.File(path, "w") as file:
        head = file.create_group("Header").attrs
        head["NumPart_ThisFile"] = counts.astype("i8" if kinds == 7 or code.startswith("gadget4") else "i4")
        head["NumPart_Total"] = total.astype("u8" if code.startswith("gadget4") else "u4")
        if not code.startswith("gadget4"):
            head["NumPart_Total_HighWord"] = np.zeros(kinds, "u4")
        head["MassTable"] = np.zeros(kinds)
        head["NumFilesPerSnapshot"] = np.array([pieces], "i4") if kinds == 7 else np.int32(pieces)
        head["Time"] = np.array([time_number(particles, code)]) if kinds == 7 else time_number(particles, code)
        head["BoxSize"] = np.full(3, box) if kinds == 7 else box
        head["Redshift"] = 1 / A - 1 if scales(code)[0] else 0.0
        _WRITERS[code.split("-")[0]](file, head, code)
        for kind in np.flatnonzero(counts):
            mask = particles.types == kind
            group = file.create_group(f"PartType{kind}")
            mass = masses[mask]
            if table and kind in table:
                head.modify("MassTable", np.where(np.arange(kinds) == kind, mass[0], head["MassTable"]))
            names = ("Velocity", "Mass") if code == "eagle" else ("Velocities", "Masses")
            double = "f8" if code.startswith(("swift", "arepo", "eagle")) else "f4"
            _dataset(group, "Coordinates", positions[mask].astype(double), code, 0, storage)
            _dataset(group, names[0], velocities[mask].astype("f4"), code, 1, storage)
            if not (table and kind in table):
                _dataset(group, names[1], mass.astype("f4"), code, 2, storage)
            group.create_dataset("ParticleIDs", data=particles.ids[mask].astype("u8"), **storage)
            if code.startswith("gizmo"):
                group["ParticleIDGenerationNumber"] = np.zeros(mask.sum(), "u4")


def _dataset(group, name, values, code, quantity, storage):
    dataset = group.create_dataset(name, data=values, **storage)
    comoving, three = scales(code)
    unit, p, q = three[quantity]
    if code.startswith(("gadget4", "arepo")):
        dataset.attrs["a_scaling"] = float(p if comoving else 0)
        dataset.attrs["h_scaling"] = float(q if comoving else 0)
        for k, what in enumerate(("length_scaling", "velocity_scaling", "mass_scaling")):
            dataset.attrs[what] = float(k == quantity)
        dataset.attrs["to_cgs"] = unit
    if code == "eagle":
        dataset.attrs["aexp-scale-exponent"] = np.float32(p)
        dataset.attrs["h-scale-exponent"] = np.float32(q)
        dataset.attrs["CGSConversionFactor"] = unit
        dataset.attrs["VarDescription"] = np.bytes_(("U_L", "U_V", "U_M")[quantity] + " ")
    if code.startswith("swift"):
        powers = {"U_L": (1, 1, 0), "U_M": (0, 0, 1), "U_t": (0, -1, 0), "U_I": (0, 0, 0), "U_T": (0, 0, 0)}
        for what, power in powers.items():
            dataset.attrs[f"{what} exponent"] = np.array([power[quantity]], "f4")
        # Also where the run is not cosmological: its expansion factor is then 1.
        dataset.attrs["a-scale exponent"] = np.array([p], "f4")
        dataset.attrs["h-scale exponent"] = np.array([0], "f4")
        words = "Conversion factor to CGS (not including cosmological corrections)"
        dataset.attrs[words] = np.array([unit])


def _gadget2(file, head, code):
    comoving = scales(code)[0]
    head["Omega0"], head["OmegaLambda"] = (OMEGA_M, OMEGA_L) if comoving else (0.0, 0.0)
    head["HubbleParam"] = H if comoving else 1.0
    for name in ("Sfr", "Cooling", "StellarAge", "Metals", "Feedback", "DoublePrecision"):
        head[f"Flag_{name}"] = np.int32(0)


def _gadget4(file, head, code):
    comoving, (length, velocity, mass) = scales(code)
    head["Git_commit"], head["Git_date"] = np.bytes_("0" * 40), np.bytes_("Mon Jan 1 00:00:00 2024")
    parameters = file.create_group("Parameters").attrs
    parameters["ComovingIntegrationOn"] = np.int32(comoving)
    # Parameters stay in the file whatever the run is.
    parameters["Omega0"], parameters["OmegaLambda"], parameters["HubbleParam"] = OMEGA_M, OMEGA_L, H
    parameters["BoxSize"] = head["BoxSize"]
    parameters["UnitLength_in_cm"], parameters["UnitMass_in_g"] = length[0], mass[0]
    parameters["UnitVelocity_in_cm_per_s"] = velocity[0]
    file.create_group("Config").attrs["PERIODIC"] = np.bytes_("")


def _arepo(file, head, code):
    _gadget2(file, head, "gadget2-comoving")
    _, (length, velocity, mass) = scales(code)
    head["Composition_vector_length"] = np.int32(0)
    head["Git_commit"] = np.bytes_("0" * 40)
    head["UnitLength_in_cm"], head["UnitMass_in_g"] = length[0], mass[0]
    head["UnitVelocity_in_cm_per_s"] = velocity[0]
    file.create_group("Config").attrs["VORONOI"] = np.bytes_("")
    # Tracers have numbers but no place.
    counts = head["NumPart_ThisFile"].copy()
    counts[3] = 5
    head["NumPart_ThisFile"] = counts
    head["NumPart_Total"] = head["NumPart_Total"] + (np.arange(6) == 3).astype("u4") * 5
    group = file.create_group("PartType3")
    group["TracerID"], group["ParentID"] = np.arange(5), np.arange(5)


def _gizmo(file, head, code):
    comoving, (length, velocity, mass) = scales(code)
    head["GIZMO_version"] = np.int32(2022)
    head["ComovingIntegrationOn"] = np.int32(comoving)
    head["HubbleParam"] = H if comoving else 1.0
    if comoving:
        head["Omega_Matter"], head["Omega_Lambda"] = OMEGA_M, OMEGA_L
        head["Omega_Baryon"], head["Omega_Radiation"] = 0.048, 0.0
    head["UnitLength_In_CGS"], head["UnitMass_In_CGS"], head["UnitVelocity_In_CGS"] = length[0], mass[0], velocity[0]
    head["Gravitational_Constant_In_Code_Inits"] = 43007.1


def _swift(file, head, code):
    comoving, (length, velocity, mass) = scales(code)
    head["Code"], head["Dimension"] = np.bytes_("SWIFT"), np.array([3], "i4")
    head["Scale-factor"] = np.array([A if comoving else 1.0])
    head.modify("Redshift", np.array([1 / A - 1 if comoving else 0.0]))
    head["Virtual"], head["ThisFile"] = np.array([0], "i4"), np.array([0], "i4")
    for name in ("Units", "InternalCodeUnits"):
        units = file.create_group(name).attrs
        units["Unit length in cgs (U_L)"] = np.array([length[0]])
        units["Unit mass in cgs (U_M)"] = np.array([mass[0]])
        units["Unit time in cgs (U_t)"] = np.array([length[0] / velocity[0]])
        units["Unit current in cgs (U_I)"] = np.array([1.0])
        units["Unit temperature in cgs (U_T)"] = np.array([1.0])
    cosmology = file.create_group("Cosmology").attrs
    cosmology["Cosmological run"] = np.array([int(comoving)], "i4")
    values = {"Scale-factor": A, "Redshift": 1 / A - 1, "h": H, "Omega_m": OMEGA_M, "Omega_lambda": OMEGA_L}
    values |= {"Omega_b": 0.048, "Omega_cdm": OMEGA_M - 0.048, "Omega_nu_0": 0.0}
    today = {"Scale-factor": 1.0, "Redshift": 0.0, "h": 0.0}
    for name, value in (values if comoving else today).items():
        cosmology[name] = np.array([value])
    file.create_group("Policy").attrs["cosmological integration"] = np.array([int(comoving)], "i4")
    parameters = file.create_group("Parameters").attrs
    parameters["InitialConditions:periodic"] = np.bytes_("1")
    if comoving:
        parameters["Cosmology:Omega_lambda"] = np.bytes_(str(OMEGA_L))
        parameters["Cosmology:Omega_cdm"] = np.bytes_(str(OMEGA_M - 0.048))
        parameters["Cosmology:Omega_b"] = np.bytes_("0.048")
        parameters["Cosmology:h"] = np.bytes_(str(H))
    file.create_group("HydroScheme")
    file.create_group("SubgridScheme")


def _eagle(file, head, code):
    _gadget2(file, head, "gadget2-comoving")
    _, (length, velocity, mass) = scales(code)
    head["ExpansionFactor"], head["RunLabel"] = A, np.bytes_("L0012N0188")
    units = file.create_group("Units").attrs
    units["UnitLength_in_cm"], units["UnitMass_in_g"] = length[0], mass[0]
    units["UnitVelocity_in_cm_per_s"], units["UnitTime_in_s"] = velocity[0], length[0] / velocity[0]
    units["UnitEnergy_in_cgs"] = mass[0] * velocity[0] ** 2


_WRITERS = {
    "gadget2": _gadget2, "gadget4": _gadget4, "arepo": _arepo, "gizmo": _gizmo, "swift": _swift, "eagle": _eagle,
}  # fmt: skip
