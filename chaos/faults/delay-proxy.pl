# Passes connections on, later: the lab's latency in a container, where the kernel need not have netem. It runs in the side
# container of one node, in that node's network namespace; nftables leads the node's own connections here, one port per
# target. What is said arrives in its order. It ends by itself when the lease of its table has run out, or the table has gone.
#
#   perl delay-proxy.pl TABLE COUNT_FILE (LISTEN_PORT HOST PORT MS JITTER_MS)...
#
# Prints "ready" when it listens everywhere. COUNT_FILE has the number of chunks that came later than they were sent.
use strict;
use warnings;
use Errno qw(EAGAIN EINPROGRESS EINTR);
use IO::Handle;
use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Socket qw(IPPROTO_TCP SOL_SOCKET SO_ERROR TCP_NODELAY inet_aton pack_sockaddr_in);

# What may be under way per direction before the sender is made to wait; a socket buffer's usual order of size.
my $HELD_BYTES_MAX = 1_048_576;
my $LEASE_EVERY_S = 3;
my $TICK_S = 0.25;

# Debian's smallest perl has no clock finer than a second: gettimeofday by its number, as the kernel of each machine has it.
my $GETTIMEOFDAY = { x86_64 => 96, aarch64 => 169 }->{ (POSIX::uname())[4] } // die "no clock is known here\n";

my ($table, $count_file, @words) = @ARGV;
$SIG{PIPE} = 'IGNORE';
my (%listeners, %lanes, $delayed, $written);
$delayed = 0;
$written = -1;
while (my ($listen, $host, $port, $ms, $jitter) = splice @words, 0, 5) {
  my $server = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $listen, Listen => 128, ReuseAddr => 1, Blocking => 0)
    or die "cannot listen on $listen: $!\n";
  $listeners{$server} = { socket => $server, host => $host, port => $port, ms => $ms, jitter => $jitter };
}
STDOUT->autoflush(1);
print "ready\n";

# A lane is one direction of a connection: read from `from`, queued with the time of its arrival, written to `to`.
my $lease_at = now() + $LEASE_EVERY_S;
while (1) {
  my $now = now();
  if ($now >= $lease_at) {
    exit 0 if system("nft list set inet $table lease 2>/dev/null | grep -q elements") != 0;
    $lease_at = now() + $LEASE_EVERY_S;
  }
  if ($delayed != $written and open my $file, '>', $count_file) {
    print $file $delayed;
    close $file;
    $written = $delayed;
  }
  my ($readers, $writers) = (IO::Select->new(map { $_->{socket} } values %listeners), IO::Select->new);
  my $wait = $TICK_S;
  for my $lane (values %lanes) {
    if ($lane->{connecting}) { $writers->add($lane->{from}); next }
    next if $lane->{peer}{connecting};
    $readers->add($lane->{from}) if !$lane->{ended} and $lane->{held} < $HELD_BYTES_MAX;
    next unless @{ $lane->{queue} };
    my $due = $lane->{queue}[0]{due};
    if ($due <= $now) { $writers->add($lane->{to}) }
    elsif ($due - $now < $wait) { $wait = $due - $now }
  }
  my ($can_read, $can_write) = IO::Select->select($readers, $writers, undef, $wait);
  for my $socket (@{ $can_write // [] }) {
    for my $lane (grep { $_->{connecting} and $_->{from} == $socket } values %lanes) { connected($lane) }
    for my $lane (grep { !$_->{connecting} and $_->{to} == $socket } values %lanes) { deliver($lane) }
  }
  for my $socket (@{ $can_read // [] }) {
    if (my $listener = $listeners{$socket}) { accepted($listener) }
    elsif (my $lane = $lanes{$socket}) { said($lane) }
  }
}

sub accepted {
  my ($listener) = @_;
  my $near = $listener->{socket}->accept or return;
  $near->blocking(0);
  my $far = IO::Socket::INET->new(Proto => 'tcp', Blocking => 0) or return;
  for my $socket ($near, $far) { setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, 1 }
  if (!connect($far, pack_sockaddr_in($listener->{port}, inet_aton($listener->{host}))) and $! != EINPROGRESS) {
    reset_pair($near, $far);
    return;
  }
  my %shared = (ms => $listener->{ms}, jitter => $listener->{jitter}, held => 0, last_due => 0, ended => 0);
  my $out = { %shared, from => $near, to => $far, queue => [], connecting => 0 };
  my $back = { %shared, from => $far, to => $near, queue => [], connecting => 1 };
  ($out->{peer}, $back->{peer}) = ($back, $out);
  $lanes{$near} = $out;
  $lanes{$far} = $back;
}

sub connected {
  my ($lane) = @_;
  return broken($lane) if unpack('i', getsockopt($lane->{from}, SOL_SOCKET, SO_ERROR)) != 0;
  $lane->{connecting} = 0;
}

sub said {
  my ($lane) = @_;
  my $count = sysread $lane->{from}, my $bytes, 65_536;
  if (!defined $count) {
    return if $! == EAGAIN or $! == EINTR;
    return broken($lane);
  }
  my $due = now() + ($lane->{ms} + (rand() * 2 - 1) * $lane->{jitter}) / 1000;
  $due = $lane->{last_due} if $due < $lane->{last_due};
  $lane->{last_due} = $due;
  $lane->{ended} = 1 if $count == 0;
  $lane->{held} += $count;
  $delayed += 1 if $count > 0;
  push @{ $lane->{queue} }, { due => $due, bytes => $bytes, end => $count == 0 };
}

sub deliver {
  my ($lane) = @_;
  my $now = now();
  while (@{ $lane->{queue} } and $lane->{queue}[0]{due} <= $now) {
    my $first = $lane->{queue}[0];
    if ($first->{end}) {
      shutdown $lane->{to}, 1;
      shift @{ $lane->{queue} };
      $lane->{over} = 1;
      return finished($lane);
    }
    my $count = syswrite $lane->{to}, $first->{bytes};
    if (!defined $count) {
      return if $! == EAGAIN or $! == EINTR;
      return broken($lane);
    }
    $lane->{held} -= $count;
    if ($count < length $first->{bytes}) {
      substr($first->{bytes}, 0, $count) = '';
      return;
    }
    shift @{ $lane->{queue} };
  }
}

sub finished {
  my ($lane) = @_;
  return unless $lane->{over} and $lane->{peer}{over};
  forget($lane);
  close $_ for $lane->{from}, $lane->{to};
}

# One end has gone: the other is told so at once, as by its own kernel.
sub broken {
  my ($lane) = @_;
  forget($lane);
  reset_pair($lane->{from}, $lane->{to});
}

sub forget {
  my ($lane) = @_;
  delete $lanes{ $lane->{from} };
  delete $lanes{ $lane->{to} };
  # They hold each other.
  delete $lane->{peer}{peer};
  delete $lane->{peer};
}

sub reset_pair {
  for my $socket (@_) {
    setsockopt $socket, SOL_SOCKET, Socket::SO_LINGER(), pack('ii', 1, 0);
    close $socket;
  }
}

# Seconds since the epoch, to the microsecond.
sub now {
  my $both = pack 'q2', 0, 0;
  syscall $GETTIMEOFDAY, $both, 0;
  my ($seconds, $micros) = unpack 'q2', $both;
  return $seconds + $micros / 1e6;
}
