# Makes a certificate for trying TLS: sh self-signed.sh DIR HOST...
#
# Writes DIR/certificate.pem and DIR/key.pem for localhost, 127.0.0.1, ::1 and the hosts. Keeps those of an earlier start for as
# long as they name the same hosts and stay valid for a month, so that an exception made in a browser lasts.
set -eu
umask 077
dir=$1
shift
mkdir -p "$dir"

names='DNS:localhost,IP:127.0.0.1,IP:::1'
set -f # a host may be *.example.com
for host in "$@"; do
  case $host in
    \[*) host=${host#[} names="$names,IP:${host%]}" ;;
    *[!0-9.]*) names="$names,DNS:$host" ;;
    *) names="$names,IP:$host" ;;
  esac
done

if [ -e "$dir/key.pem" ] && [ "$(cat "$dir/names" 2>/dev/null)" = "$names" ] &&
  openssl x509 -in "$dir/certificate.pem" -noout -checkend 2592000 >/dev/null 2>&1; then
  exit 0
fi
cat >"$dir/request.conf" <<END
[req]
prompt = no
distinguished_name = name
x509_extensions = extensions
[name]
CN = Clicktally
[extensions]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = $names
END
# 397 days: browsers accept no more.
openssl req -x509 -config "$dir/request.conf" -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -sha256 -days 397 \
  -keyout "$dir/key.pem" -out "$dir/certificate.pem" 2>"$dir/openssl.log" || {
  cat "$dir/openssl.log" >&2
  exit 1
}
printf '%s\n' "$names" >"$dir/names"
