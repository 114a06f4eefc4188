// Netty 4.1, as a server and as a client: java -cp NETTY'S_JARS NettyPeer.java
//
// Speaks hixie-76, hybi-07, hybi-08 and RFC 6455, as a server hixie-75, too. What it is told and what it tells is
// explained in ends.py. Netty makes handshakes and frames; that a ping is answered by a pong, and a Close by a Close,
// is left to us.

import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.*;
import io.netty.channel.nio.NioEventLoopGroup;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.handler.codec.http.*;
import io.netty.handler.codec.http.websocketx.*;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.Map;

public class NettyPeer {
    static final int MESSAGE_BYTES = 16 * 1024 * 1024;
    static final Map<String, WebSocketVersion> VERSIONS = Map.of(
        "hixie-76", WebSocketVersion.V00, "hybi-07", WebSocketVersion.V07,
        "hybi-08", WebSocketVersion.V08, "rfc6455", WebSocketVersion.V13);

    static volatile Talk current;  // the one connection that there is at a time

    static synchronized void tellOf(String... words) {
        for (int i = 0; i < words.length; i++) if (words[i] == null || words[i].isEmpty()) words[i] = "-";
        System.out.println(String.join(" ", words));
        System.out.flush();
    }

    static ByteBuf bytes(String word) {
        return Unpooled.wrappedBuffer(word.equals("-") ? new byte[0] : ByteBufUtil.decodeHexDump(word));
    }

    static String hex(String text) {
        return text == null ? "" : ByteBufUtil.hexDump(text.getBytes(StandardCharsets.UTF_8));
    }

    /** A connection: a server's, if there is no handshaker of a client. */
    static class Talk extends SimpleChannelInboundHandler<Object> {
        final WebSocketClientHandshaker client;
        Channel channel;
        boolean hasNoClose;
        boolean closing;

        Talk(WebSocketClientHandshaker client) {
            this.client = client;
        }

        @Override
        public void channelActive(ChannelHandlerContext context) {
            channel = context.channel();
            current = this;
            if (client != null) client.handshake(channel);
        }

        @Override
        protected void channelRead0(ChannelHandlerContext context, Object message) {
            if (message instanceof FullHttpRequest) answer((FullHttpRequest) message);
            else if (message instanceof FullHttpResponse) {
                client.finishHandshake(channel, (FullHttpResponse) message);
                tellOf("open", client.actualSubprotocol());
            }
            else hear((WebSocketFrame) message);
        }

        void answer(FullHttpRequest request) {
            HttpHeaders headers = request.headers();
            hasNoClose = !headers.contains("Sec-WebSocket-Version") && !headers.contains("Sec-WebSocket-Key1");
            String url = "ws://" + headers.get("Host") + request.uri();
            WebSocketServerHandshakerFactory factory =
                new WebSocketServerHandshakerFactory(url, "chat", false, MESSAGE_BYTES);
            WebSocketServerHandshaker server = factory.newHandshaker(request);
            if (server == null) WebSocketServerHandshakerFactory.sendUnsupportedVersionResponse(channel);
            else server.handshake(channel, request).addListener(done -> tellOf("open", server.selectedSubprotocol()));
        }

        void hear(WebSocketFrame frame) {
            String data = ByteBufUtil.hexDump(frame.content());
            if (frame instanceof TextWebSocketFrame) tellOf("text", data);
            else if (frame instanceof BinaryWebSocketFrame) tellOf("binary", data);
            else if (frame instanceof PongWebSocketFrame) tellOf("pong", data);
            else if (frame instanceof PingWebSocketFrame)
                channel.writeAndFlush(new PongWebSocketFrame(frame.content().retain()));
            else {
                CloseWebSocketFrame close = (CloseWebSocketFrame) frame;
                String code = close.statusCode() < 0 ? null : String.valueOf(close.statusCode());
                tellOf("close", code, hex(close.reasonText()));
                close(close.retain());
                if (client == null) channel.close();
            }
        }

        void say(String[] words) {
            int last = words.length - 1;
            switch (words[0]) {
                case "text" -> channel.writeAndFlush(new TextWebSocketFrame(bytes(words[1])));
                case "binary" -> channel.writeAndFlush(new BinaryWebSocketFrame(bytes(words[1])));
                case "ping" -> channel.writeAndFlush(new PingWebSocketFrame(bytes(words[1])));
                case "cut" -> channel.close();
                case "close" -> {
                    String reason = bytes(words[2]).toString(StandardCharsets.UTF_8);
                    close(new CloseWebSocketFrame(Integer.parseInt(words[1]), reason));
                }
                case "fragments" -> {
                    channel.writeAndFlush(new TextWebSocketFrame(false, 0, bytes(words[1])));
                    for (int i = 2; i <= last; i++)
                        channel.writeAndFlush(new ContinuationWebSocketFrame(i == last, 0, bytes(words[i])));
                }
                default -> throw new IllegalArgumentException(words[0]);
            }
        }

        void close(CloseWebSocketFrame frame) {
            if (hasNoClose) channel.close();
            else if (!closing) channel.writeAndFlush(frame);
            closing = true;
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext context, Throwable error) {
            if (!(error instanceof IOException)) tellOf("error", hex(error.toString()));  // a reset is an end
            context.close();
        }

        @Override
        public void channelInactive(ChannelHandlerContext context) {
            current = null;
            tellOf("end");
        }
    }

    static class Pipeline extends ChannelInitializer<Channel> {
        final WebSocketClientHandshaker client;

        Pipeline(WebSocketClientHandshaker client) {
            this.client = client;
        }

        @Override
        protected void initChannel(Channel channel) {
            channel.pipeline().addLast(
                client == null ? new HttpServerCodec() : new HttpClientCodec(),
                new HttpObjectAggregator(65536), new WebSocketFrameAggregator(MESSAGE_BYTES), new Talk(client));
        }
    }

    static void open(EventLoopGroup group, String[] words) {
        URI url = URI.create("ws://127.0.0.1:" + words[2] + words[3]);
        WebSocketClientHandshaker client = WebSocketClientHandshakerFactory.newHandshaker(
            url, VERSIONS.get(words[1]), words[4].equals("-") ? null : words[4], false, null, MESSAGE_BYTES);
        new Bootstrap().group(group).channel(NioSocketChannel.class).handler(new Pipeline(client))
            .connect(url.getHost(), url.getPort());
    }

    static void carryOut(EventLoopGroup group, String[] words) {
        if (words[0].equals("open")) open(group, words);
        else if (words[0].equals("mark")) tellOf(words);
        else if (current != null) current.say(words);
    }

    public static void main(String[] arguments) throws Exception {
        EventLoopGroup group = new NioEventLoopGroup(1);
        Channel listener = new ServerBootstrap().group(group).channel(NioServerSocketChannel.class)
            .childHandler(new Pipeline(null)).bind("127.0.0.1", 0).sync().channel();
        tellOf("listening", String.valueOf(((InetSocketAddress) listener.localAddress()).getPort()));
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in));
        for (String line = commands.readLine(); line != null; line = commands.readLine()) {
            String[] words = line.split(" ");
            group.execute(() -> carryOut(group, words));
        }
        System.exit(0);
    }
}
