# The gem em-websocket 0.5.1 of Ruby, which is a server: ruby em_websocket.rb
#
# Speaks hixie-75, hixie-76, hybi-01 to -03, hybi-05 to -08 and RFC 6455. What it is told and what it tells is explained
# in ends.py. It answers pings and Closes itself, and tells of a Close when the connection has ended; it has no way to
# send fragments.

require 'em-websocket'

def tell_of(*words)
  puts words.map { |word| word.to_s.empty? ? '-' : word }.join(' ')
end

def hex(data)
  data.to_s.unpack1('H*')
end

# The commands, which are for the one connection that there is at a time.
module Commands
  include EM::Protocols::LineText2

  def receive_line(line)
    verb, *arguments = line.split
    return tell_of(verb, *arguments) if verb == 'mark'

    data = arguments.map { |word| word == '-' ? '' : [word].pack('H*') }
    socket = $connection or return

    case verb
    when 'text' then socket.send_text(data[0].force_encoding(Encoding::UTF_8))
    when 'binary' then socket.send_binary(data[0])
    when 'ping' then socket.ping(data[0])
    when 'close' then socket.close(arguments[0].to_i, data[1])
    when 'cut' then socket.close_connection
    end
  end

  def unbind
    EM.stop
  end
end

def adopt(socket)
  socket.onopen do |handshake|
    $connection = socket
    tell_of('open', handshake.headers_downcased['sec-websocket-protocol'])
  end
  socket.onmessage { |text| tell_of('text', hex(text)) }
  socket.onbinary { |data| tell_of('binary', hex(data)) }
  socket.onpong { |data| tell_of('pong', hex(data)) }
  socket.onerror { |error| tell_of('error', hex(error.message)) }
  socket.onclose do |event|
    $connection = nil
    tell_of('close', event[:code] == 1005 ? nil : event[:code], hex(event[:reason])) if event[:was_clean]
    tell_of('end')
  end
end

$stdout.sync = true
EM.epoll
EM.run do
  listener = EM::WebSocket.run(host: '127.0.0.1', port: 0) { |socket| adopt(socket) }
  EM.attach($stdin, Commands)
  tell_of('listening', Socket.unpack_sockaddr_in(EM.get_sockname(listener))[0])
end
