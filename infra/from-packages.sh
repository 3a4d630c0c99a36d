# What the scripts that make images out of the distribution's packages stand on, and read by `source`. They have work (a
# directory of their own), note and die.
# shellcheck shell=bash disable=SC2016 # the $(...) in single quotes are apt's

as_root() {
    if [[ $(id -u) == 0 ]]; then "$@"; else sudo -- "$@"; fi
}

install_tools() {
    local packages=() install
    command -v mmdebstrap >/dev/null || packages+=(mmdebstrap)
    # Who is not root unpacks in a user namespace, for which mmdebstrap needs newuidmap.
    [[ $(id -u) == 0 ]] || command -v newuidmap >/dev/null || packages+=(uidmap)
    [[ ${#packages[@]} != 0 ]] || return 0

    install=(apt-get install --yes --no-install-recommends "${packages[@]}")
    [[ $(id -u) == 0 ]] || command -v sudo >/dev/null || die "missing: ${packages[*]}" "as root: ${install[*]}"
    note "installing ${packages[*]}"
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive "${install[@]}" -qq -o Dpkg::Use-Pty=0 </dev/null >"$work/apt.log" 2>&1 ||
        { tail -n 30 "$work/apt.log" >&2; die "${packages[*]} could not be installed"; }
}

# What apt knows of the distribution's own archives; entries of third parties (Origin differs) stay out.
distribution_targets() { apt-get indextargets --format "$1" 'Created-By: Packages' "Origin: $origin" | sort -u; }

write_apt_files() {
    distribution_targets 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' >"$work/sources.list"
    if [[ ! -s $work/sources.list ]]; then
        note "reading the package lists (apt-get update)"
        as_root apt-get update -qq
        distribution_targets 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' >"$work/sources.list"
    fi
    [[ -s $work/sources.list ]] || die "apt has no sources of $origin" 'see /etc/apt/sources.list.d'
    # The proxy and the like; without it a machine behind one could not fetch anything.
    apt-config dump | grep -E '^Acquire::(https?::|ftp::|Retries|Check-Date|Check-Valid-Until)' >"$work/apt.conf" || true
}

# Whose packages: origin, and the release by its codename.
name_the_system() {
    # shellcheck source=/dev/null
    . /etc/os-release
    origin=${ID^} codename=$VERSION_CODENAME
}

# Unpacks packages and what they depend on, and writes the tree to standard output as a tar archive.
#
#   unpack HOOKS PACKAGE,PACKAGE,…      of the release codename, by the sources in $work/sources.list
unpack() {
    local keyring=() conf=()
    # Newer releases keep the archive's key out of trusted.gpg.d, so it is named here.
    [[ ! -e /usr/share/keyrings/$ID-archive-keyring.gpg ]] ||
        keyring=(--keyring="/usr/share/keyrings/$ID-archive-keyring.gpg")
    [[ ! -s $work/apt.conf ]] || conf=(--aptopt="$work/apt.conf")
    mmdebstrap --quiet --variant=extract --skip=cleanup/run "${keyring[@]}" "${conf[@]}" \
        --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr --hook-dir="$work/$1" \
        --include="$2" \
        "$codename" - "$work/sources.list" 2>"$work/mmdebstrap.log"
}
