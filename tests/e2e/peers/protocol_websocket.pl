# Protocol::WebSocket 0.26 of Perl, as a server and as a client: perl protocol_websocket.pl
#
# Speaks hixie-75, hixie-76, hybi-08 and RFC 6455. What it is told and what it tells is explained in ends.py.
# The library makes handshakes and frames; that a ping is answered by a pong, and a Close by a Close, is left to us.

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use Protocol::WebSocket::Frame;
use Protocol::WebSocket::Handshake::Client;
use Protocol::WebSocket::Handshake::Server;

my %VERSIONS = (
    'hixie-75' => 'draft-hixie-75',
    'hixie-76' => 'draft-ietf-hybi-00',
    'hybi-08'  => 'draft-ietf-hybi-10',
    'rfc6455'  => 'draft-ietf-hybi-17',
);
my $READ_BYTES = 1 << 20;

$Protocol::WebSocket::Frame::MAX_FRAGMENTS_AMOUNT = 1024;

my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 8) or die $!;
my $sources = IO::Select->new(\*STDIN, $listener);
my ($socket, $handshake, $is_server, $frames, $closing);    # of the one connection that there is at a time
my $commands = '';

sub tell_of {
    print join(' ', map { defined && length ? $_ : '-' } @_), "\n";
}

sub adopt {
    ($socket, $handshake) = @_;
    $is_server = $handshake->isa('Protocol::WebSocket::Handshake::Server');
    $frames = undef;
    $closing = 0;
    $sources->add($socket);
}

sub drop {
    $sources->remove($socket);
    $socket->close;
    $socket = undef;
    tell_of('end');
}

sub send_all {
    my $bytes = shift;
    while (length $bytes) {
        my $sent = syswrite($socket, $bytes) // return;    # who has left is noticed when it is read
        substr($bytes, 0, $sent, '');
    }
}

sub send_frame {
    my ($type, $payload, $final) = @_;
    send_all($handshake->build_frame(type => $type, buffer => $payload, fin => $final // 1)->to_bytes);
}

sub close_with {
    my $body = shift;
    return drop() if $handshake->version eq 'draft-hixie-75';
    send_frame('close', $body) unless $closing++;
}

sub open_client {
    my ($dialect, $port, $path, $subprotocol) = @_;
    my $url = "ws://127.0.0.1:$port$path";
    my $client = Protocol::WebSocket::Handshake::Client->new(url => $url, version => $VERSIONS{$dialect});
    $client->req->subprotocol($subprotocol) if $subprotocol ne '-';
    adopt(IO::Socket::INET->new("127.0.0.1:$port"), $client);
    send_all($client->to_string);
}

sub send_fragments {
    my ($first, @others) = @_;
    my $last = pop @others;
    send_frame('text', $first, 0);
    send_frame('continuation', $_, 0) for @others;
    send_frame('continuation', $last);
}

sub data_of {
    return map { $_ eq '-' ? '' : pack 'H*', $_ } @_;
}

sub carry_out {
    my ($verb, @words) = split / /, shift;
    if ($verb eq 'open') { open_client(@words) }
    elsif ($verb eq 'mark') { tell_of($verb, @words) }
    elsif (!$socket) { return }    # that it has gone was told
    elsif ($verb eq 'cut') { drop() }
    elsif ($verb eq 'close') { close_with(pack 'n a*', $words[0], data_of($words[1])) }
    elsif ($verb eq 'fragments') { send_fragments(data_of(@words)) }
    else { send_frame($verb, data_of(@words)) }
}

sub hear_frame {
    my ($frame, $payload) = @_;
    if ($frame->is_close) {
        my ($code, $reason) = length $payload ? unpack 'n a*', $payload : ();
        tell_of('close', $code, unpack 'H*', $reason // '');
        close_with($payload);
        drop() if $is_server;
    }
    else {
        my $type = $frame->is_ping ? 'ping' : $frame->is_pong ? 'pong' : $frame->is_binary ? 'binary' : 'text';
        send_frame('pong', $payload) if $type eq 'ping';
        tell_of($type, unpack 'H*', $payload) if $type ne 'ping';
    }
}

sub hear {
    my $data = shift;
    if (!$frames) {
        if (!$handshake->parse($data)) {
            tell_of('error', unpack 'H*', $handshake->error);
            return drop();
        }
        return unless $handshake->is_done;
        $frames = $handshake->build_frame;
        if ($is_server) {
            $handshake->res->subprotocol($handshake->req->subprotocol);
            send_all($handshake->to_string);
        }
        tell_of('open', $handshake->res->subprotocol);
    }
    $frames->append($data);
    while ($socket && defined(my $payload = $frames->next_bytes)) { hear_frame($frames, $payload) }
}

$| = 1;
$SIG{PIPE} = 'IGNORE';
tell_of('listening', $listener->sockport);
while (1) {
    for my $source ($sources->can_read) {
        if ($source == $listener) { adopt(scalar $listener->accept, Protocol::WebSocket::Handshake::Server->new) }
        elsif ($source == \*STDIN) {
            sysread(STDIN, $commands, $READ_BYTES, length $commands) or exit;
            carry_out($1) while $commands =~ s/^(.*)\n//;
        }
        elsif ($socket && $source == $socket) {
            my $data = '';
            sysread($socket, $data, $READ_BYTES) ? hear($data) : drop();
        }
    }
}
