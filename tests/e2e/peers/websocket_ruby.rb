# The gem websocket 1.2.9 of Ruby, as a server and as a client: ruby websocket_ruby.rb [unaided]
#
# Speaks hixie-75 to hybi-08 and RFC 6455. What it is told and what it tells is explained in ends.py. The gem makes
# handshakes and frames; that a ping is answered by a pong, and a Close by a Close, is left to us. It has no way to
# send fragments. Some of its mistakes would hide all the rest, so it is helped out of them:
#
# - As a server of hixie-76 it takes white space and NUL off both ends of the challenge.
# - In hybi-01 and -02 it takes the frames of hixie-76. It knows the right ones, as those of hybi-03. *
# - In hybi-06 it leaves out the code of a Close, and not its reason. It gets neither from us. *
#
# * Not if it is `unaided`.

require 'socket'
require 'websocket'

UNAIDED = ARGV == ['unaided']
READ_BYTES = 1 << 20
CHALLENGE_BYTES = 8
PROOF_BYTES = 16
RULES = UNAIDED ? {} : { 1 => 3, 2 => 3 }

module WholeChallenge
  attr_reader :leftovers
end

def tell_of(*words)
  puts words.map { |word| word.to_s.empty? ? '-' : word }.join(' ') # which returns nil
end

def hex(data)
  data.to_s.unpack1('H*')
end

# A connection. Its methods return whether it is still wanted.
class Peer
  attr_reader :socket

  def initialize(socket, handshake, frames)
    @socket = socket
    @handshake = handshake
    @is_server = handshake.should_respond?
    handshake.extend(WholeChallenge) if @is_server
    @incoming, @outgoing = frames
    @data = String.new('', encoding: Encoding::BINARY)
    @closing = false
  end

  def hear(data)
    return shake_hands(data) unless @frames

    @frames << data
    hear_frames
  end

  def say(type, data, code = nil)
    data = data.dup.force_encoding(Encoding::UTF_8) if type == :text
    @socket.write(@outgoing.new(version: @rules, type: type, data: data, code: code).to_s)
    true
  end

  def close(code, reason)
    return false if @rules == 75

    has_codes = @rules.between?(UNAIDED ? 6 : 7, 13)
    say(:close, has_codes ? reason : '', has_codes ? code : nil) unless @closing
    @closing = true
  end

  private

  # The gem must get the handshake in one piece, and nothing that is behind it.
  def shake_hands(data)
    @data << data
    head, rest = @data.split("\r\n\r\n", 2)
    return true unless rest

    size = head.match?(/^Sec-WebSocket-(Key1|Location):/i) ? (@is_server ? CHALLENGE_BYTES : PROOF_BYTES) : 0
    return true if rest.bytesize < size

    @handshake << "#{head}\r\n\r\n#{rest.byteslice(0, size)}"
    return complain(@handshake.error || 'not valid') unless @handshake.valid?

    @rules = RULES.fetch(@handshake.version, @handshake.version)
    @socket.write(@handshake.to_s) if @is_server
    tell_of('open', @handshake.headers['sec-websocket-protocol'] || @handshake.headers['websocket-protocol'])
    @frames = @incoming.new(version: @rules)
    @frames << rest.byteslice(size..)
    hear_frames
  end

  def hear_frames
    while (frame = @frames.next)
      return false unless hear_frame(frame)
    end
    @frames.error ? complain(@frames.error) : true
  end

  def hear_frame(frame)
    case frame.type
    when :ping then say(:pong, frame.data)
    when :close
      tell_of('close', frame.code, hex(frame.data))
      close(frame.code, frame.data)
      !@is_server
    else
      tell_of(frame.type, hex(frame.data))
      true
    end
  end

  def complain(error)
    tell_of('error', hex(error))
    false
  end
end

def connect(dialect, port, path, subprotocol)
  version = dialect == 'rfc6455' ? 13 : dialect[/\d+/].to_i
  handshake = WebSocket::Handshake::Client.new(
    host: '127.0.0.1', port: port.to_i, path: path, version: version, origin: 'http://app.test',
    protocols: subprotocol == '-' ? [] : [subprotocol]
  )
  peer = Peer.new(TCPSocket.new('127.0.0.1', port.to_i), handshake,
                  [WebSocket::Frame::Incoming::Client, WebSocket::Frame::Outgoing::Client])
  peer.socket.write(handshake.to_s)
  peer
end

def accept(listener)
  Peer.new(listener.accept, WebSocket::Handshake::Server.new(protocols: ['chat']),
           [WebSocket::Frame::Incoming::Server, WebSocket::Frame::Outgoing::Server])
end

def carry_out(peer, verb, arguments)
  data = arguments.map { |word| word == '-' ? '' : [word].pack('H*') }
  case verb
  when 'close' then peer.close(arguments[0].to_i, data[1])
  when 'cut' then false
  else peer.say(verb.to_sym, data[0])
  end
end

# Does what is to be done next. Returns the connection, if there is one then.
def turn(listener, peer)
  ready, = IO.select([$stdin, listener, peer&.socket].compact)
  if ready.include?($stdin)
    verb, *arguments = ($stdin.gets || exit).split
    return connect(*arguments) if verb == 'open'

    tell_of(verb, *arguments) if verb == 'mark'
    wanted = peer && verb != 'mark' ? carry_out(peer, verb, arguments) : true
  elsif ready.include?(listener)
    return accept(listener)
  else
    data = peer.socket.recv(READ_BYTES)
    wanted = !data.empty? && peer.hear(data)
  end
  wanted ? peer : drop(peer)
rescue Errno::ECONNRESET, Errno::EPIPE
  drop(peer)
end

def drop(peer)
  peer.socket.close
  tell_of('end')
end

$stdout.sync = true
listener = TCPServer.new('127.0.0.1', 0)
tell_of('listening', listener.addr[1])
peer = nil
loop { peer = turn(listener, peer) }
