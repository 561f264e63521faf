# SPDX-License-Identifier: LGPL-2.1-or-later
# Migration over TLS, with certificates and with a pre-shared key; every way in which a peer is not the right one is
# named on both sides, and the guest runs on at the source.
. "$(dirname "$0")/domains.sh"
requires certtool python3 xz
unset GODWIT_TLS_CERT GODWIT_TLS_KEY GODWIT_TLS_CA GODWIT_TLS_PSK

# certificate NAME CA LINE...: NAME.pem and NAME.key, signed by CA, for localhost and 127.0.0.1.
certificate()
{
	local name=$1 ca=$2
	shift 2
	printf '%s\n' "cn = \"$name\"" tls_www_server tls_www_client signing_key "$@" >"$name.tmpl"
	grep -q '_date\|expiration' "$name.tmpl" || echo "expiration_days = 10" >>"$name.tmpl"
	certtool --generate-privkey --key-type ecdsa --outfile "$name.key" >/dev/null 2>certtool.err &&
		certtool --generate-certificate --load-privkey "$name.key" --load-ca-certificate "$ca.pem" \
			--load-ca-privkey "$ca.key" --template "$name.tmpl" --outfile "$name.pem" >/dev/null 2>certtool.err ||
		fail "certtool: $(cat certtool.err)"
	chmod 600 "$name.key"
}

authority()
{
	printf '%s\n' "cn = \"$1\"" ca cert_signing_key "expiration_days = 10" >"$1.tmpl"
	certtool --generate-privkey --key-type ecdsa --outfile "$1.key" >/dev/null 2>certtool.err &&
		certtool --generate-self-signed --load-privkey "$1.key" --template "$1.tmpl" --outfile "$1.pem" \
			>/dev/null 2>certtool.err || fail "certtool: $(cat certtool.err)"
}

authority ca
authority other-ca
here_names=('dns_name = "localhost"' 'ip_address = "127.0.0.1"')
certificate a ca "${here_names[@]}"
certificate b ca "${here_names[@]}"
certificate elsewhere ca 'dns_name = "elsewhere.example"'
certificate expired ca "${here_names[@]}" 'activation_date = "2020-01-01 00:00:00"' 'expiration_date = "2020-02-01 00:00:00"'
certificate stranger other-ca "${here_names[@]}"
printf 'hosts:%s\nothers:%s\n' 00112233445566778899aabbccddeeff ffeeddccbbaa99887766554433221100 >psk
printf 'hosts:%s\n' 00000000000000000000000000000000 >wrong.psk
printf 'nobody:%s\n' 00112233445566778899aabbccddeeff >unknown.psk
chmod 600 psk wrong.psk unknown.psk
"$GODWIT" migrate --tls-psk psk nobody tls:127.0.0.1:1 2>err
! grep -q "built without GnuTLS" err || skip "this build has no TLS"

with()
{
	echo --tls-ca "$2.pem" --tls-cert "$1.pem" --tls-key "$1.key"
}

# tls_receiver OPTION...: as receiver, at a tls: address of its own.
tls_receiver()
{
	: >receiver.err
	receivers=$((receivers + 1))
	"$GODWIT" receive "$@" "tls:127.0.0.1:0" >"receiver.$receivers" 2>>receiver.err &
	receiver=$!
	started+=("$receiver")
	disown
	until_true 5 test -s "receiver.$receivers"
	address=$(head -1 "receiver.$receivers")
}

# refused ADDRESS SENDER'S-WORDS RECEIVER'S-WORDS OPTION...: both sides name the cause, no side has a protocol error, and
# the guest runs on.
refused()
{
	local to=$1 sender=$2 there=$3
	shift 3
	: >receiver.err
	FAIL_DEPTH=1 run_expect 1 "$GODWIT" migrate "$@" tpvh "$to"
	err_has "$sender"
	until_true 15 grep -qF -e "$there" receiver.err
	! grep -q "no godwit hello: \|in the middle of a frame" err receiver.err || fail "a protocol error: $(cat err receiver.err)"
	assert_state tpvh running
	assert_state tpvh--incoming ""
}

tiny

# Certificates of one CA on both sides, by number and by name.
tls_receiver $(with b ca)
[ "${address%:*}" = tls:127.0.0.1 ] || fail "the address is $address"
run_expect 0 "$GODWIT" migrate $(with a ca) tpvh "$address"
out_has "tpvh has moved to $address"
until_true 5 is_state tpvh running
counter tpvh >/dev/null
tls_receiver $(with b ca)
run_expect 0 "$GODWIT" migrate $(with a ca) --no-live tpvh "tls:localhost:${address##*:}"
until_true 5 is_state tpvh running

# A sender that drips through the handshake: it has ten seconds, which pass while the rest of this test runs.
GODWIT_SENDER_TIMES=600000 tls_receiver $(with b ca)
drips=$receiver
"$PYTHON" "$here/slow.py" "${address##*:}" tls >drips.out &
started+=($!)

# Nothing wrong comes through: the receiver goes on listening meanwhile.
tls_receiver $(with b ca)
refused "$address" "the certificate of the receiver is not accepted" "does not accept this side's certificate" $(with a other-ca)
refused "$address" "the receiver does not accept this side's certificate" "the certificate of the sender is not accepted" $(with stranger ca)
refused "$address" "the receiver does not accept this side's certificate" "expired" $(with expired ca)
refused "$address" "the receiver wants a certificate of this side" "the sender has no certificate" --tls-ca ca.pem
run_expect 0 "$GODWIT" migrate $(with a ca) tpvh "$address"
until_true 5 is_state tpvh running
tls_receiver $(with elsewhere ca)
refused "$address" "does not match the expected. (127.0.0.1)" "does not accept this side's certificate" $(with a ca)
tls_receiver $(with expired ca)
refused "$address" "expired" "does not accept this side's certificate" $(with a ca)

# A pre-shared key.
tls_receiver --tls-psk psk
refused "$address" "the receiver does not accept this side's pre-shared key" "pre-shared key" --tls-psk wrong.psk
refused "$address" "pre-shared key" "pre-shared key" --tls-psk unknown.psk
refused "$address" "do both sides use certificates, or both a key?" "different pre-shared keys, or one has none" $(with a ca)
run_expect 0 "$GODWIT" migrate --tls-psk psk tpvh "$address"
until_true 5 is_state tpvh running

# A sender without TLS at a tls: address, and one with TLS at a tcp: address.
tls_receiver --tls-psk psk
: >receiver.err
run_expect 1 "$GODWIT" migrate tpvh "tcp:127.0.0.1:${address##*:}"
err_has "the receiver takes only TLS: both sides need tls:"
until_true 5 grep -qF "the sender speaks no TLS" receiver.err
assert_state tpvh running
receiver
: >receiver.err
run_expect 1 "$GODWIT" migrate --tls-psk psk tpvh "tls:127.0.0.1:${address##*:}"
err_has "the receiver speaks no TLS"
until_true 5 grep -qF "the sender speaks TLS, which this address does not take" receiver.err
assert_state tpvh running

# Many domains, in the background, by the settings of the site's file.
printf '%s\n' "tls-ca = $tmp/ca.pem" "tls-cert = $tmp/b.pem" "tls-key = $tmp/b.key" >site.conf
GODWIT_CONF=$tmp/site.conf run_expect 0 "$GODWIT" receive --keep -d tls:127.0.0.1:0
address=$(cat out)
started+=($("$GODWIT" list --all | sed -n 's/^(receiver) *\([0-9]*\) .*/\1/p'))
GODWIT_TLS_CA=ca.pem GODWIT_TLS_CERT=a.pem GODWIT_TLS_KEY=a.key run_expect 0 "$GODWIT" migrate tpvh "$address"
until_true 5 is_state tpvh running
# Options before the environment before the file.
GODWIT_CONF=$tmp/site.conf GODWIT_TLS_CERT=stranger.pem GODWIT_TLS_KEY=stranger.key run_expect 1 "$GODWIT" migrate tpvh "$address"
err_has "the receiver does not accept this side's certificate"
GODWIT_CONF=$tmp/site.conf GODWIT_TLS_PSK=psk run_expect 0 "$GODWIT" migrate $(with a ca) tpvh "$address"
until_true 5 is_state tpvh running
run_expect 0 "$GODWIT" receive --end "$address"

# Files that cannot be used, before anything is sent or listened on.
run_expect 2 "$GODWIT" receive tls:127.0.0.1:0
err_has "needs --tls-ca, --tls-cert and --tls-key, or --tls-psk"
run_expect 2 "$GODWIT" receive --tls-ca ca.pem tls:127.0.0.1:0
err_has "a receiver with TLS needs a certificate and its key"
run_expect 2 "$GODWIT" receive $(with a ca) --tls-psk psk tls:127.0.0.1:0
err_has "either certificates or a pre-shared key"
run_expect 2 "$GODWIT" receive --tls-ca ca.pem --tls-cert a.pem --tls-key b.key tls:127.0.0.1:0
err_has "the certificate and its key"
run_expect 2 "$GODWIT" receive --tls-ca a.key --tls-cert a.pem --tls-key a.key tls:127.0.0.1:0
err_has "CA"
run_expect 2 "$GODWIT" migrate --tls-psk psk tpvh tcp:127.0.0.1:1
err_has "--tls-psk is for an address tls:HOST:PORT"
chmod 644 psk a.key
run_expect 2 "$GODWIT" migrate --tls-psk psk tpvh tls:127.0.0.1:1
err_has "its mode 0644 lets other users read or change it: chmod 600 psk"
run_expect 2 "$GODWIT" migrate $(with a ca) tpvh tls:127.0.0.1:1
err_has "--tls-key: a.key holds a secret"
echo 'user:0011' >short.psk
chmod 600 short.psk
run_expect 2 "$GODWIT" migrate --tls-psk short.psk tpvh tls:127.0.0.1:1
err_has "line 1 of the pre-shared keys is no USER:HEXKEY with a key of 16 to 64 bytes"
assert_state tpvh running

until_true 30 test -s drips.out
"$PYTHON" -c 'import sys; s = float(open("drips.out").read().split()[0]); sys.exit(not 9 < s < 30)' || fail "the handshake took $(cat drips.out)"
kill -TERM "$drips"

# The process of a domain that has arrived has no key any more, nor has the command that waits for it; a receiver that
# listens on has.
cat >find.py <<'PY'
import re, sys
needle = bytes.fromhex(sys.argv[2])
for line in open(f"/proc/{sys.argv[1]}/maps"):
    begin, end, mode = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+)", line).groups()
    # Not the memory that a sanitizer only reserves.
    if not mode.startswith("rw") or int(end, 16) - int(begin, 16) > 1 << 30:
        continue
    try:
        with open(f"/proc/{sys.argv[1]}/mem", "rb") as memory:
            memory.seek(int(begin, 16))
            if needle in memory.read(int(end, 16) - int(begin, 16)):
                sys.exit(0)
    except (OSError, ValueError, OverflowError):
        pass
sys.exit(1)
PY
# has_key PID: its memory has the key, as bytes or in hexadecimal.
has_key()
{
	python3 find.py "$1" 5aa5c33c0ff0966912345678deadbeef ||
		python3 find.py "$1" "$(printf 5aa5c33c0ff0966912345678deadbeef | od -An -tx1 | tr -d ' \n')"
}
echo hosts:5aa5c33c0ff0966912345678deadbeef >secret.psk
chmod 600 secret.psk
tls_receiver --tls-psk secret.psk
has_key "$receiver" || { echo "the memory of a process cannot be read here: it was not searched"; exit 0; }
run_expect 0 "$GODWIT" migrate --tls-psk secret.psk tpvh "$address"
until_true 5 is_state tpvh running
has_no_key()
{
	! has_key "$receiver" && ! has_key "$(domain_ids)"
}
until_true 1 has_no_key

# Nor has the process of a domain that was to be sent with one, when that has failed.
echo hosts:00112233445566778899aabbccddeeff >different.psk
chmod 600 different.psk
tls_receiver --tls-psk different.psk
run_expect 1 "$GODWIT" migrate --tls-psk secret.psk tpvh "$address"
err_has "runs on here"
sender_has_no_key()
{
	! has_key "$(domain_ids)"
}
until_true 1 sender_has_no_key
