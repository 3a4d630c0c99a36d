# Joins stdin and stdout with the server's port, "$1", by whatever the image has for that. Whichever side ends, the
# other is ended with it.
port=$1
if command -v bash >/dev/null; then
    exec bash -c '
        exec 3<>"/dev/tcp/127.0.0.1/$0" 4<&0 || exit 1
        ended() { kill $(jobs -p) 2>/dev/null; wait; exit 0; }
        trap ended TERM
        (
            trap ended TERM
            cat <&4 >&3 &
            wait $!
            kill $$
        ) &
        cat <&3 4<&- &
        wait $!
        ended' "$port"
fi
if command -v perl >/dev/null; then
    exec perl -MSocket -e '
        socket(S, PF_INET, SOCK_STREAM, 0) && connect(S, sockaddr_in($ARGV[0], INADDR_LOOPBACK)) or die "$!\n";
        my $child = fork // die "$!\n";
        $SIG{TERM} = sub { waitpid $child, 0; exit } if $child;
        my ($from, $to) = $child ? (*STDIN, *S) : (*S, *STDOUT);
        while (sysread $from, my $read, 1 << 17) {
            for (my $at = 0; $at < length $read;) {
                $at += syswrite($to, $read, length($read) - $at, $at) || exit;
            }
        }
        kill "TERM", $child || getppid;
        wait' "$port"
fi
if command -v nc >/dev/null; then exec nc 127.0.0.1 "$port"; fi
echo "the image has none of the programs bash, perl and nc, of which one has to lead there" >&2
exit 127
